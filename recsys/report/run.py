"""The report of a finished run, from the files of its directory alone."""

from pathlib import Path

from recsys.disk import write_whole
from recsys.report.content import Report
from recsys.report.html import page
from recsys.report.sections import cost, data, limits
from recsys.report.words import day, duration
from recsys.run.directory import REPORT, REPORTED, RunDirectory
from recsys.task.base import facet


def write_page(run: Path) -> Path:
    """Make report.html from the files of a finished run; gives its path. See `report_of` for what it refuses."""
    write_whole(run / REPORT, page(report_of(run)))
    return run / REPORT


def reported_run(path: Path) -> RunDirectory:
    """A finished run that has all files of a report; a ConfigError names those that are missing."""
    return RunDirectory.finished(path, *REPORTED, *facet(RunDirectory.open(path).task, "report").FILES)


def report_of(path: Path) -> Report:
    """The report of a run.

    Raises:
        ConfigError: it did not finish, or an older version left it without what a report needs.
    """
    run = reported_run(path)
    task = facet(run.task, "report")
    sections = (*task.sections(run), data.section(run), cost.section(run), limits.section(run, list(task.limits(run))))
    own = [outcome for outcome in task.outcomes(run.metrics, run.model_name) if outcome.metric is not None]
    title = f"{run.task.capitalize()} on {run.data['name']}"
    verdict = "\n".join(outcome.verdict for outcome in own)
    return Report(title, verdict, _facts(run, task.tested_on(run)), tuple(section for section in sections if section is not None))


def _facts(run: RunDirectory, tested_on: str) -> tuple[tuple[str, str], ...]:
    data, git = run.data, run.lineage.get("git")
    seconds, boundaries = run.cost["seconds"], data["boundaries"]
    period = f", {day(boundaries['test'])[:10]} to {day(boundaries['end'])[:10]}" if boundaries else ""
    training = data["split"]["training"]
    counted = "".join(f", {data['counts'][noun]:,} {noun}" for noun in ("users", "items") if noun in training)
    positive = f", {training['positives']:,} positive" if training["positives"] < training["rows"] else ""
    facts = {
        "Model": run.model_name,
        "Data": f"{data['name']}: {data['counts']['rows']:,} rows{counted}",
        "Trained on": f"{training['rows']:,} rows{positive}",
        "Tested on": tested_on + period,
        "Time": f"{duration(seconds['fit'])} of training, {duration(seconds['total'])} in all",
        "Started": day(run.lineage.get("started", "unknown")),
        "Seed": str(run.plain["seed"]),
        "Code": "unknown" if git is None else git["commit"][:12] + (", changed since" if git["dirty"] else ""),
        "Run": run.path.resolve().name,
    }
    return tuple(facts.items())
