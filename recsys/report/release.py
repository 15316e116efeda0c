"""A release as a person reads it: blocks of its card in Markdown, and the table of what an export made, for the terminal.

The card says how good the release is, where it comes from, what it was checked for, and what it costs to serve. All is made from flat
metrics and the manifest of the bundle alone.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from rich.console import Group, RenderableType

from recsys.errors import count_text
from recsys.metric.declaration import Declaration
from recsys.report.content import Grid
from recsys.report.data import data_grids, data_text
from recsys.report.grids import METRIC, Metrics
from recsys.report.markdown import code, grid_blocks, prose, table
from recsys.report.terminal import grid_table
from recsys.report.words import readable_size
from recsys.task.base import facet

UNTESTED = "These weights were not tested: the figures are of validation, which they may have been chosen by."
TESTED = "Validation chose the weights; the test was looked at once, at the end. In brackets: 95 % intervals."
RUN_DIRECTORY = "hydra.run.dir="
"""Two runs never share a directory, so the command that makes a run again leaves its own out."""


def quality(metrics: Metrics, names: Mapping[str, str]) -> list[str]:
    """Blocks of Markdown: for each task the model among its baselines, with a verdict, and its groups, worst first.

    Args:
        metrics: of the exported weights; of weights that were not tested, those of validation.
        names: {task: what its model is called}.
    """
    blocks: list[str] = []
    for task, model in names.items():
        report = facet(task, "report")
        tested = bool(report.outcomes(metrics, model))
        validated = {f"test/{key[4:]}": value for key, value in metrics.items() if key.startswith("val/")}
        outcomes = report.outcomes(metrics if tested else validated, model)
        blocks += [TESTED if tested else UNTESTED] if outcomes else []
        for outcome in outcomes:
            blocks += [f"### {prose(outcome.table.title)}", *([prose(outcome.verdict)] if tested else []), *grid_blocks(outcome.table)]
            if outcome.groups is not None and outcome.metric is not None:
                blocks += [f"{prose(outcome.groups.title)}, worst first:", *grid_blocks(_worst_first(outcome.groups, outcome.metric))]
    return list(dict.fromkeys(blocks))


def _worst_first(groups: Grid, metric: Declaration) -> Grid:
    """Groups by their first metric, which all of them have."""
    return replace(groups, rows=tuple(sorted(groups.rows, key=lambda row: metric.order * cast(float, row[METRIC]))))


def data_blocks(lineage: Mapping) -> list[str]:
    """The data of each task, once where tasks share a store."""
    blocks: list[str] = []
    by_store = {data["store"]: (task, data) for task, data in reversed(lineage.get("data", {}).items())}
    for store, (task, data) in reversed(by_store.items()):
        sharing = [other for other, its in lineage["data"].items() if its["store"] == store]
        split = lineage.get("config", {}).get(task, {}).get("data", {}).get("split")
        blocks.append(f"Data set {code(data['name'])} of {' and '.join(sharing)}, prepared as {code(store)}.")
        blocks += [prose(data_text(data, split)), *(block for grid in data_grids(data) for block in grid_blocks(grid))]
    return [block for block in blocks if block]


def lineage_blocks(lineage: Mapping, checkpoint: Mapping[str, Mapping], versions: Mapping[str, str]) -> list[str]:
    """Commit, lock file, seeds, hashes and commands of the export and of each training run, and the versions of both."""
    columns = {"export": lineage, **lineage.get("train", {})}
    locks = [facts.get("lock") for facts in columns.values()]
    rows = [
        ["commit", *(_commit(facts.get("git")) for facts in columns.values())],
        ["lock file", *(f"{code(lock['file'])} {code(lock['sha256'][:12])}" if lock else "–" for lock in locks)],
        ["started", *(code(facts.get("started", "")) for facts in columns.values())],
        ["platform", *(code(facts.get("platform", "")) for facts in columns.values())],
        ["seed", "–", *(str(lineage["seed"][task]) for task in lineage["train"])],
        ["config, sha256", "–", *(code(facts.get("config_sha256", "")[:12]) for facts in lineage["train"].values())],
        ["weights, sha256", "–", *(code(checkpoint.get(task, {}).get("sha256", "")[:12]) for task in lineage["train"])],
        ["weights chosen by", "–", *(code(lineage["config"][task].get("monitor", "")) for task in lineage["train"])],
        ["weights of step", "–", *(f"{checkpoint[task]['step']:,}" if task in checkpoint else "–" for task in lineage["train"])],
    ]
    headings = ["", *(name if name == "export" else f"training: {name}" for name in columns)]
    blocks = [table(headings, [row for row in rows if set(row[1:]) != {"–"}], text=len(headings))]
    versions_of = {"export": versions, **{task: facts.get("versions", {}) for task, facts in lineage["train"].items()}}
    packages = dict.fromkeys(package for versions in versions_of.values() for package in versions)
    rows = [[package, *(prose(versions.get(package) or "–") for versions in versions_of.values())] for package in packages]
    blocks.append(table(["package", *versions_of], rows, text=1 + len(versions_of)))
    words = [shlex.split(facts["command"]) for facts in lineage["train"].values() if "command" in facts]
    commands = [shlex.join(word for word in command if not word.startswith(RUN_DIRECTORY)) for command in words]
    if commands:
        blocks += ["To make it again, at these commits and with the packages of the lock file:", "```sh\n" + "\n".join(commands) + "\n```"]
    return [block for block in blocks if block]


def _commit(git: Mapping | None) -> str:
    return "–" if git is None else code(git["commit"][:12]) + (", with changes that are not committed" if git["dirty"] else "")


def gate_blocks(manifest: Mapping) -> list[str]:
    """One row per gate, and how many requests with known answers the bundle holds."""
    requests = " and ".join(f"{number:,} of {task}" for task, number in manifest.get("golden", {}).items() if number)
    golden = [f"Requests with their answers are in `golden.parquet`: {requests}."] if requests else []
    return [*grid_blocks(gates_grid(manifest.get("gates", ()))), *golden]


def speed_blocks(manifest: Mapping) -> list[str]:
    """Latency, search and smaller tables, as far as they were measured."""
    parts = {"latency": _latency, "index": _index, "quantized": _quantized}
    return [block for key, blocks in parts.items() if manifest.get(key) is not None for block in blocks(manifest[key])]


def _latency(latency: Mapping) -> Iterator[str]:
    if "start_ms" in latency:
        yield f"Ready to answer {latency['start_ms']:,.0f} ms after the start."
    rows = []
    for part, figures in latency.items():
        if isinstance(figures, Mapping):
            counts, times = (figures.get("candidates", 1), figures["requests"]), (figures["p50_ms"], figures["p99_ms"])
            rows.append([part, *(f"{count:,}" for count in counts), *(f"{time:.2f} ms" for time in times)])
    yield table(["part", "rows a request", "requests", "p50", "p99"], rows)


def _index(index: Mapping) -> Iterator[str]:
    chosen = ", ".join(f"{key} {value}" for key, value in index["chosen"].items())
    yield (
        f"Approximate search {code(index['kind'])} ({prose(chosen)}) finds {index['recall']:.4f} of the exact first {index['k']:,}; "
        f"exact search takes {index['exact_p50_ms']:.2f} ms."
    )
    formats = {"recall": "{:.4f}", "p50_ms": "{:.2f} ms", "p99_ms": "{:.2f} ms"}
    settings = [key for key in index["curve"][0] if key not in formats] if index["curve"] else []
    rows = []
    for point in index["curve"]:
        rows.append([*(str(point[key]) for key in settings), *(form.format(point[key]) for key, form in formats.items() if key in point)])
    measured = [name.removesuffix("_ms") for name in formats if name in index["curve"][0]] if index["curve"] else []
    yield table([*settings, *measured], rows, text=0)
    yield "![Recall and latency of approximate search](index.svg)"


def _quantized(quantized: Mapping) -> Iterator[str]:
    before, after = (quantized[f"bytes_{when}"] for when in ("before", "after"))
    speed = ", ".join(f"{part} {ratio:.2f} times" for part, ratio in quantized["p50_ratio"].items())
    yield (
        f"Quantised as {code(quantized['kind'])}: {readable_size(before)} became {readable_size(after)}"
        f"{f'; p50 of what it was: {speed}' if speed else ''}."
    )
    plain = quantized.get("float32", {})
    rows = [[prose(name), f"{plain[name]:.4f}" if name in plain else "–", f"{loss:+.4f}"] for name, loss in quantized["loss"].items()]
    rows += [[prose(name), "", f"{share:.4f}"] for name, share in quantized.get("same_items", {}).items()]
    rows += [[f"vectors of {prose(tower)}, over their length", "", f"{error:.4f}"] for tower, error in quantized.get("vectors", {}).items()]
    yield table(["metric", "in float32", "change"], rows)


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
        items, parity = manifest["items"], manifest["parity"]
        yield (
            f"Retriever: {count_text(items['count'], 'item answers', 'items answer')} by '{items['column']}' ({items['dtype']}), "
            f"{manifest['dim']} dimensions. "
            f"{_comparison(parity, parity['users'], 'users')}: {parity['identical_lists']:,} of {parity['lists']:,} lists of {parity['k']} "
            f"identical, scores within {parity['max_score_difference']:.1e}."
        )
    if "ranker_parity" in manifest:
        parity = manifest["ranker_parity"]
        yield (
            f"Ranker: predicts {', '.join(manifest['labels'])}. {_comparison(parity, parity['rows'], 'impressions')}, "
            f"and with one user for many rows: within {parity['max_difference']:.1e}."
        )
    times = {name: part for name, part in manifest["latency"].items() if name != "start_ms"}
    parts = [f"the {name} p50 {part['p50_ms']:.2f} ms, p99 {part['p99_ms']:.2f} ms" for name, part in times.items()]
    start = f"Loaded, checked and first answers given in {manifest['latency']['start_ms']:.0f} ms."
    yield f"One request on one thread: {'; '.join(parts)}. {start}"


def _comparison(parity: Mapping, number: int, noun: str) -> str:
    """With which weights, where they are not the published ones, and on how many rows graphs were compared with the model."""
    weights = f" ({parity['weights']})" if "weights" in parity else ""
    return f"Compared with the model{weights} on {number:,} {noun} in batches of {', '.join(f'{size:,}' for size in parity['batch_sizes'])}"
