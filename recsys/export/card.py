"""card.md: what a bundle is, how good, on what data, and what speaks against it. Made from the facts of the bundle alone."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from recsys.config.target import component_name
from recsys.report.data import unknown_rows
from recsys.report.markdown import code, grid_blocks, prose, table
from recsys.report.release import data_blocks, gate_blocks, lineage_blocks, quality, speed_blocks
from recsys.report.reliability import LEGEND, reliability_grid, reliability_plot
from recsys.schema import Schema
from recsys.task.base import facet

SIMULATED = "recsys.source.shop.Shop"
"""The only source whose world is made up."""
PLOT = "![Reliability curves](calibration.svg)"
Curves = Mapping[str, Mapping]
"""{label: curve as in `recsys.metric.reliability.Reliability`}."""


def write_card(folder: Path, manifest: Mapping, schema: Schema, metrics: Mapping[str, float], *, reliability: Curves) -> None:
    """Write card.md, and calibration.svg where there are curves; arguments as of `card`."""
    if reliability:
        (folder / "calibration.svg").write_text(reliability_plot(reliability))
    (folder / "card.md").write_text(card(manifest, schema, metrics, reliability=reliability))


def card(manifest: Mapping, schema: Schema, metrics: Mapping[str, float], *, reliability: Curves) -> str:
    """The model card in Markdown, of a manifest without "files" and a fitted schema. A section without facts is left out."""
    lineage = manifest.get("lineage", {})
    config = lineage.get("config", {})
    names = {task: component_name(config[task]["model"]) if task in config else "the model" for task in manifest["checkpoint"]}
    facets = {task: facet(task, "export") for task in names}
    models = [line for task, part in facets.items() for line in part.card_lines(manifest, schema, names[task])]
    data = dict.fromkeys(each["name"] for each in lineage.get("data", {}).values())
    title = f"# {' and '.join(names).capitalize()}{' on ' + ', '.join(map(prose, data)) if data else ''}"
    sections = {
        "What it is": ["\n".join(models), "What it reads:", _columns(schema, facets.values())],
        "Data": data_blocks(lineage),
        "Quality": quality(metrics, names),
        "Calibration": [LEGEND, PLOT, *grid_blocks(reliability_grid(reliability))] if reliability else [],
        "Release checks": gate_blocks(manifest),
        "Speed": speed_blocks(manifest),
        "Lineage": lineage_blocks(lineage, manifest["checkpoint"], manifest["versions"]) if "train" in lineage else [],
        "Limits": ["\n".join(f"- {limit}" for limit in _limits(manifest, schema, metrics, facets.values()))],
    }
    blocks = [title, f"Made on {manifest['created']} from the facts of this bundle; not edited by hand."]
    for heading, section in sections.items():
        filled = [block for block in section if block]
        blocks += [f"## {heading}", *filled] if filled else []
    return "\n\n".join(blocks) + "\n"


def _columns(schema: Schema, facets: Iterable[ModuleType]) -> str:
    entities = dict.fromkeys(entity for part in facets for entity in part.COLUMNS)
    rows = []
    for feature in schema.of(*entities):
        statistics = schema.statistics[feature.column]
        if feature.entity == "bias":
            known, missing = f"{statistics.size - 2:,}, read in training", "not read when serving: always unknown"
        else:
            known, missing = feature.card_words(statistics)
        kind = type(feature).__name__
        rows.append([code(feature.column), feature.entity, kind, statistics.dtype, known.replace("|", "\\|"), missing])
    return table(["column", "of", "kind", "type", "known values", "unknown or missing"], rows, text=6)


def _limits(manifest: Mapping, schema: Schema, metrics: Mapping[str, float], facets: Iterable[ModuleType]) -> Iterator[str]:
    lineage = manifest.get("lineage", {})
    config = lineage.get("config", {})
    if any(each["data"]["source"]["_target_"] == SIMULATED for each in config.values()):
        yield "The data is simulated: its users are a program, and figures say nothing of real ones."
    yield from dict.fromkeys(limit for data in lineage.get("data", {}).values() for limit in unknown_rows(data))
    yield from (limit for part in facets for limit in part.card_limits(manifest, schema))
    yield from _without_value(metrics)
    trained = lineage.get("train", {})
    dirty = [name for name, facts in {"export": lineage, **trained}.items() if (facts.get("git") or {}).get("dirty")]
    unknown = [name for name, facts in trained.items() if facts.get("git") is None]
    if dirty:
        yield f"Code was changed and not committed at: {', '.join(dirty)}. The commit alone does not make the bundle again."
    if unknown:
        yield f"The commit is not known of the training of: {', '.join(unknown)}."
    if not any(key.startswith("test/") for key in metrics):
        yield "These weights were never tested."
    if {each["trainer"].get("accelerator") for each in config.values() if "trainer" in each} == {"cpu"}:
        yield "Trained on CPUs; no figure here is of a GPU."


def _without_value(metrics: Mapping[str, float]) -> Iterator[str]:
    """Labels of one class, or of no rows, in the test, which order nothing."""
    for key, rows in metrics.items():
        match key.split("/"):
            case ["test", label, "rows"] if (positives := metrics.get(f"test/{label}/positives")) in (0, rows):
                lack = f"no {'negative' if positives else 'positive'} among {rows:,.0f} test rows" if rows else "no row in the test"
                yield f"{code(label)}: {lack}, so AUC and what needs both classes are n/a."
