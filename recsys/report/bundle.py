"""What an export made, as a person reads it, from the bundle's manifest alone."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType

from recsys.report.content import Grid
from recsys.report.terminal import grid_table
from recsys.report.words import readable_size


def bundle_table(manifest: Mapping) -> RenderableType:
    """The files with their sizes, how the graphs compared with the model, how fast they answer, and every gate."""
    rows = [(name, readable_size(file["size"]), file["sha256"][:12]) for name, file in sorted(manifest["files"].items())]
    files = Grid("files", "Bundle", ("file", "size", "sha256"), tuple(rows))
    return Group(grid_table(files), "", *_sentences(manifest), "", grid_table(gates_grid(manifest["gates"])))


def gates_grid(gates: Sequence[Mapping]) -> Grid:
    """One row per check: what was wanted, and what was measured."""
    rows = [(gate["gate"], "passed" if gate["passed"] else "refused", gate["limit"], gate["found"]) for gate in gates]
    return Grid("gates", "Gates", ("gate", "", "wanted", "measured"), tuple(rows))


def _sentences(manifest: Mapping) -> Iterator[str]:
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
