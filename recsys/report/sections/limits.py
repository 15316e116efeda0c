"""What speaks against trusting a run further than it was tested."""

from collections.abc import Iterator, Sequence

from recsys.report.content import Grid, Section
from recsys.report.sections.data import unknown_rows
from recsys.run.directory import RunDirectory

SIMULATED = "recsys.source.shop.Shop"


def section(run: RunDirectory, of_task: Sequence[str]) -> Section:
    """A line per limit.

    Args:
        of_task: limits that only runs of this task have.
    """
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
