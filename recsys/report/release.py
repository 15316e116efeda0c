"""Checks of a release and its cost of serving, in Markdown, from the manifest alone."""

from collections.abc import Iterator, Mapping

from recsys.report.bundle import gates_grid
from recsys.report.markdown import code, grid_blocks, prose, table
from recsys.report.words import readable_size


def gate_blocks(manifest: Mapping) -> list[str]:
    """One row per gate, and how many requests with known answers the bundle holds."""
    requests = " and ".join(f"{number:,} of {task}" for task, number in manifest.get("golden", {}).items() if number)
    golden = [f"Requests with their answers are in `golden.parquet`: {requests}."] if requests else []
    return [*grid_blocks(gates_grid(manifest.get("gates", ()))), *golden]


def speed_blocks(manifest: Mapping) -> list[str]:
    """Latency, search and smaller tables, as far as they were measured."""
    return [*_latency(manifest.get("latency")), *_index(manifest.get("index")), *_quantized(manifest.get("quantized"))]


def _latency(latency: Mapping | None) -> Iterator[str]:
    if latency is None:
        return
    if "start_ms" in latency:
        yield f"Ready to answer {latency['start_ms']:,.0f} ms after the start."
    rows = [
        [
            part,
            f"{figures.get('candidates', 1):,}",
            f"{figures['requests']:,}",
            f"{figures['p50_ms']:.2f} ms",
            f"{figures['p99_ms']:.2f} ms",
        ]
        for part, figures in latency.items()
        if isinstance(figures, Mapping)
    ]
    yield table(["part", "rows a request", "requests", "p50", "p99"], rows)


def _index(index: Mapping | None) -> Iterator[str]:
    if index is None:
        return
    chosen = ", ".join(f"{key} {value}" for key, value in index["chosen"].items())
    yield (
        f"Approximate search {code(index['kind'])} ({prose(chosen)}) finds {index['recall']:.4f} of the exact first {index['k']:,}; "
        f"exact search takes {index['exact_p50_ms']:.2f} ms."
    )
    formats = {"recall": "{:.4f}", "p50_ms": "{:.2f} ms", "p99_ms": "{:.2f} ms"}
    settings = [key for key in index["curve"][0] if key not in formats] if index["curve"] else []
    rows = [
        [*(str(point[key]) for key in settings), *(form.format(point[key]) for key, form in formats.items() if key in point)]
        for point in index["curve"]
    ]
    measured = [name.removesuffix("_ms") for name in formats if name in index["curve"][0]] if index["curve"] else []
    yield table([*settings, *measured], rows, text=0)
    yield "![Recall and latency of approximate search](index.svg)"


def _quantized(quantized: Mapping | None) -> Iterator[str]:
    if quantized is None:
        return
    before, after = (quantized[f"bytes_{when}"] for when in ("before", "after"))
    speed = ", ".join(f"{part} {ratio:.2f} times" for part, ratio in quantized["p50_ratio"].items())
    yield (
        f"Quantised as {code(quantized['kind'])}: {readable_size(before)} became {readable_size(after)}"
        f"{f'; p50 of what it was: {speed}' if speed else ''}."
    )
    plain = quantized.get("float32", {})
    rows = [[prose(name), f"{plain[name]:.4f}" if name in plain else "–", f"{loss:+.4f}"] for name, loss in quantized["loss"].items()]
    rows += [[prose(name), "", f"{share:.4f}"] for name, share in quantized.get("same_items", {}).items()]
    rows += [[f"vectors of {prose(tower)}, over their length", "", f"{apart:.4f}"] for tower, apart in quantized.get("vectors", {}).items()]
    yield table(["metric", "in float32", "change"], rows)
