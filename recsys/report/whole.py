"""A run's whole report, section by section."""

from pathlib import Path

from recsys.report import labels, table
from recsys.report.content import Report
from recsys.report.sections import (
    calibration,
    confusion,
    cost,
    curves,
    data,
    embeddings,
    examples,
    groups,
    limits,
    mistakes,
    results,
)
from recsys.report.sections import labels as label_results
from recsys.report.sections import pair as pair_results
from recsys.report.words import day, duration
from recsys.run.files import RunFiles

SECTIONS = {
    "retrieval": (results, groups, examples, embeddings, curves, data, cost, limits),
    "ranking": (label_results, pair_results, calibration, confusion, groups, mistakes, curves, data, cost, limits),
}


def whole_report(path: Path) -> Report:
    """The report of the run in this directory; see `recsys.report.content.report_of`."""
    run = RunFiles.open(path)
    found = (part.section(run) for part in SECTIONS[run.task])
    title = f"{run.task.capitalize()} on {run.data['name']}"
    return Report(title, _verdict(run), _facts(run), tuple(section for section in found if section is not None))


def _verdict(run: RunFiles) -> str:
    if run.task == "retrieval":
        return table.verdict(run.metrics, run.model)
    return "\n".join(" ".join(labels.judged(run.metrics, label, run.model)) for label in labels.measured(run.metrics))


def _facts(run: RunFiles) -> tuple[tuple[str, str], ...]:
    data, git = run.data, run.lineage.get("git")
    test, seconds = data["split"]["test"], run.cost["seconds"]
    asked = f"{run.metrics['test/users']:,.0f} users" if run.task == "retrieval" else f"{test['rows']:,} impressions"
    boundaries = data["boundaries"]
    period = f", {day(boundaries['test'])[:10]} to {day(boundaries['end'])[:10]}" if boundaries else ""
    training = data["split"]["training"]
    named = "".join(f", {data['counts'][noun]:,} {noun}" for noun in ("users", "items") if noun in training)
    positive = f", {training['positives']:,} positive" if training["positives"] < training["rows"] else ""
    facts = {
        "Model": run.model,
        "Data": f"{data['name']}: {data['counts']['rows']:,} rows{named}",
        "Trained on": f"{training['rows']:,} rows{positive}",
        "Tested on": asked + period,
        "Time": f"{duration(seconds['fit'])} of training, {duration(seconds['total'])} in all",
        "Started": day(run.lineage.get("started", "unknown")),
        "Seed": str(run.config["seed"]),
        "Code": "unknown" if git is None else git["commit"][:12] + (", changed since" if git["dirty"] else ""),
        "Run": run.path.resolve().name,
    }
    return tuple(facts.items())
