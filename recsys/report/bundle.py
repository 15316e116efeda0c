"""What an export made, as a person reads it, from the bundle's manifest alone."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from recsys.report.table import empty_table


def bundle_table(manifest: dict) -> RenderableType:
    """The files with their sizes, how the graphs compared with the model, how fast they answer, and every gate."""
    table = empty_table("Bundle")
    table.add_column("file")
    table.add_column("size", justify="right")
    table.add_column("sha256", style="dim")
    for name, file in sorted(manifest["files"].items()):
        table.add_row(name, readable_size(file["size"]), file["sha256"][:12])
    return Group(table, "", *_sentences(manifest), "", gate_table(manifest["gates"]))


def gate_table(gates: Sequence[Mapping]) -> Table:
    """One row per check: what was asked for, and what was found."""
    table = empty_table("Gates")
    table.add_column("")
    for column in ("gate", "asked for", "found"):
        table.add_column(column, overflow="fold")
    for gate in gates:
        mark, style = ("✓", "green") if gate["passed"] else ("✗", "red")
        table.add_row(f"[{style}]{mark}[/]", gate["gate"], escape(gate["limit"]), escape(gate["found"]))
    return table


def _sentences(manifest: dict) -> Iterator[str]:
    if "parity" in manifest:
        yield _retrieval(manifest["items"], manifest["dim"], manifest["parity"])
    if "ranker_parity" in manifest:
        yield _ranking(manifest["labels"], manifest["ranker_parity"])
    yield _speed(manifest["latency"])


def _retrieval(items: dict, dim: int, parity: dict) -> str:
    batches = ", ".join(map(str, parity["batch_sizes"]))
    return (
        f"Retriever: {items['count']:,} items answer by '{items['column']}' ({items['dtype']}), {dim} dimensions. "
        f"Compared with the model{_weights(parity)} on {parity['users']:,} users in batches of {batches}: "
        f"{parity['identical_lists']:,} of {parity['lists']:,} lists of {parity['k']} identical, "
        f"scores within {parity['max_score_difference']:.1e}."
    )


def _weights(parity: dict) -> str:
    """Of which graphs a comparison is, where these are not the published ones."""
    return f" ({parity['weights']})" if "weights" in parity else ""


def _ranking(labels: list[str], parity: dict) -> str:
    batches = ", ".join(f"{size:,}" for size in parity["batch_sizes"])
    return (
        f"Ranker: predicts {', '.join(labels)}. "
        f"Compared with the model{_weights(parity)} on {parity['rows']:,} impressions in batches of {batches}, "
        "and with one user for many rows: "
        f"within {parity['max_difference']:.1e}."
    )


def _speed(latency: dict) -> str:
    parts = [f"the {name} p50 {part['p50_ms']:.2f} ms, p99 {part['p99_ms']:.2f} ms" for name, part in latency.items() if name != "start_ms"]
    return f"One request on one thread: {'; '.join(parts)}. Loaded, checked and first answers given in {latency['start_ms']:.0f} ms."


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
