"""What an export made, as a person reads it, from the bundle's manifest alone."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table


def bundle_table(manifest: dict) -> RenderableType:
    """The files with their sizes, and how the graphs compared with the model."""
    table = Table(title="Bundle", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("file")
    table.add_column("size", justify="right")
    table.add_column("sha256", style="dim")
    for name, file in sorted(manifest["files"].items()):
        table.add_row(name, readable_size(file["size"]), file["sha256"][:12])
    return Group(table, "", *_sentences(manifest))


def _sentences(manifest: dict) -> Iterator[str]:
    if "parity" in manifest:
        yield _retrieval(manifest["items"], manifest["dim"], manifest["parity"])
    if "ranker_parity" in manifest:
        yield _ranking(manifest["labels"], manifest["ranker_parity"])


def _retrieval(items: dict, dim: int, parity: dict) -> str:
    batches = ", ".join(map(str, parity["batch_sizes"]))
    return (
        f"Retriever: {items['count']:,} items answer by '{items['column']}' ({items['dtype']}), {dim} dimensions. "
        f"Compared with the model on {parity['users']:,} users in batches of {batches}: "
        f"{parity['identical_lists']:,} of {parity['lists']:,} lists of {parity['k']} identical, "
        f"scores within {parity['max_score_difference']:.1e}."
    )


def _ranking(labels: list[str], parity: dict) -> str:
    batches = ", ".join(f"{size:,}" for size in parity["batch_sizes"])
    return (
        f"Ranker: predicts {', '.join(labels)}. "
        f"Compared with the model on {parity['rows']:,} impressions in batches of {batches}, and with one user for many rows: "
        f"within {parity['max_difference']:.1e}."
    )


def readable_size(size: int) -> str:
    """Bytes in the unit that a person would choose.

    Example:
        >>> readable_size(842053)
        '842.1 kB'
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit != "B" else f"{size} B"
        size = size / 1000
    return f"{size:.1f} GB"
