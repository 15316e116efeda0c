"""The report of a finished run, from the files of its directory alone; and the end of a run, which writes it and prints the results."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console, RenderableType

from recsys.disk import write_whole
from recsys.errors import count_text
from recsys.report.content import Grid, Report, Section
from recsys.report.data import data_section, unknown_rows
from recsys.report.html import page
from recsys.report.terminal import results_view
from recsys.report.words import day, duration, readable_size
from recsys.run.directory import LOG, REPORT, REPORTED, RESULT, RunDirectory
from recsys.task.base import facet

log = logging.getLogger(__name__)
LOG_WIDTH = 100
SIMULATED = "recsys.source.shop.Shop"
STAGES = {
    "prepare": "prepare the data, or find them prepared",
    "fit": "training",
    "evaluate": "validation while training",
    "baselines": "fitting baselines",
    "test": "test, of the model, baselines and the truth",
    "report": "files of the report, without this page",
    "other": "everything else",
}


def publish_result(metrics: Mapping[str, float], run: Path, *, task: str, model: str, notes: Sequence[str]) -> None:
    """Write metrics.json and report.html, and print the table of results; the last line printed is `run: <path>`.

    Args:
        task: name of the task's folder.
        model: name of the model in the table.
        notes: lines to print below the table, such as why a baseline is missing.
    """
    report = facet(task, "report")
    verdict = " ".join(outcome.verdict for outcome in report.outcomes(metrics, model))
    table = results_view(report.tables(metrics, model), verdict)
    write_whole(run / RESULT, json.dumps(dict(metrics), indent=2) + "\n")
    with (run / LOG).open("a") as file:
        _show(Console(file=file, width=LOG_WIDTH), table, notes)
    _show(Console(), table, notes)
    try:
        write_page(run)
    except Exception as error:  # the run is finished, and its results are safe: a drawing is no reason to call it failed
        log.exception("no %s", REPORT)
        print(f"no {REPORT}: {' '.join(str(error).split())}")
    print(f"run: {run}")


def _show(console: Console, table: RenderableType, notes: Sequence[str]) -> None:
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)


def write_page(run: Path) -> Path:
    """Make report.html from the files of a finished run; gives its path. See `report_of` for what it refuses."""
    write_whole(run / REPORT, page(report_of(run)))
    return run / REPORT


def reported_run(path: Path) -> RunDirectory:
    """A finished run that has all files of a report; a ConfigError names those that are missing."""
    return RunDirectory.finished(path, *REPORTED, *facet(RunDirectory.open(path).task, "report").FILES)


def report_of(path: Path) -> Report:
    """The report of a run; a ConfigError where it did not finish, or an older version left it without what a report needs."""
    run = reported_run(path)
    task = facet(run.task, "report")
    sections = (*task.sections(run), data_section(run), cost_section(run), limits_section(run, list(task.limits(run))))
    own = [outcome for outcome in task.outcomes(run.metrics, run.model_name) if outcome.metric is not None]
    title = f"{run.task.capitalize()} on {run.data['name']}"
    verdict = "\n".join(outcome.verdict for outcome in own)
    return Report(title, verdict, _facts(run, task.tested_on(run)), tuple(section for section in sections if section is not None))


def _facts(run: RunDirectory, tested_on: str) -> tuple[tuple[str, str], ...]:
    data, git = run.data, run.lineage.get("git")
    seconds, boundaries = run.cost["seconds"], data["boundaries"]
    period = f", {day(boundaries['test'])[:10]} to {day(boundaries['end'])[:10]}" if boundaries else ""
    training = data["split"]["training"]
    counted = "".join(f", {count_text(data['counts'][f'{noun}s'], noun)}" for noun in ("user", "item") if f"{noun}s" in training)
    positive = f", {training['positives']:,} positive" if training["positives"] < training["rows"] else ""
    return (
        ("Model", run.model_name),
        ("Data", f"{data['name']}: {count_text(data['counts']['rows'], 'row')}{counted}"),
        ("Trained on", f"{count_text(training['rows'], 'row')}{positive}"),
        ("Tested on", tested_on + period),
        ("Time", f"{duration(seconds['fit'])} of training, {duration(seconds['total'])} in all"),
        ("Started", day(run.lineage.get("started", "unknown"))),
        ("Seed", str(run.plain["seed"])),
        ("Code", "unknown" if git is None else git["commit"][:12] + (", changed since" if git["dirty"] else "")),
        ("Run", run.path.resolve().name),
    )


def cost_section(run: RunDirectory) -> Section:
    """Seconds by stage, speed, memory and energy."""
    seconds = run.cost["seconds"]
    total = seconds["total"]
    rows = [(STAGES[name], seconds[name], seconds[name] / total) for name in STAGES if name in seconds]
    grid = Grid("cost", "Time", ("stage", "seconds", "share"), (*rows, ("all", total, 1.0)))
    return Section("cost", "Cost", (" ".join(_cost_sentences(run)),), (grid,))


def _cost_sentences(run: RunDirectory) -> Iterator[str]:
    cost, lineage = run.cost, run.lineage
    speed = f", {cost['rows_per_s']:,.0f} a second" if cost["rows_per_s"] else ""
    yield f"{count_text(cost['rows'], 'row')} of training{speed}."
    processes = f" (of the first of {cost['processes']} processes)" if cost["processes"] > 1 else ""
    yield f"Peak memory {readable_size(cost['peak_memory_bytes'])}{processes}."
    if cost["peak_gpu_memory_bytes"]:
        yield f"On the GPU {readable_size(cost['peak_gpu_memory_bytes'])}."
    if joules := cost["energy_joules"]:
        parts = " and ".join(f"{value / 3.6e3:,.1f} Wh by the {noun.upper()}" for noun, value in joules.items())
        yield f"Energy: {parts}, with whatever else ran there."
    else:
        yield "The energy is not known: this machine does not measure it."
    if times := len(lineage.get("resumed", [])):
        yield f"The run was interrupted and went on {times} time{'s' * (times > 1)}: all this is of the last part alone."
    yield f"All in all {duration(cost['seconds']['total'])} on {lineage.get('platform', 'an unknown machine')}."


def limits_section(run: RunDirectory, of_task: Sequence[str]) -> Section:
    """Reasons not to trust a run further than it was tested, a line each, among them those of its task."""
    lines = tuple((line,) for line in _limits(run, of_task))
    return Section("limits", "Limits", (), (Grid("limits", "What these figures do not say", ("limit",), lines),))


def _limits(run: RunDirectory, of_task: Sequence[str]) -> Iterator[str]:
    if run.plain["data"]["source"]["_target_"] == SIMULATED:
        yield "The data are simulated: their users are a program, and figures say nothing of real ones."
    yield "Intervals say how far other users would move the figures, not another seed, other weeks or another split."
    yield from of_task
    yield from unknown_rows(run.data)
    git = run.lineage.get("git")
    if git is None:
        yield "The commit is not known: the run cannot be made again exactly."
    elif git["dirty"]:
        yield "Code was changed and not committed: the commit alone does not make the run again."
    if run.plain["trainer"].get("accelerator") == "cpu":
        yield "Trained on CPUs; no figure here is of a GPU."
