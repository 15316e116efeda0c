"""What speaks against trusting a run further than it was tested."""

import re
from collections.abc import Iterator

from recsys.report.content import Grid, Section
from recsys.report.sections.data import unknown_rows
from recsys.run.files import RunFiles

SIMULATED = "recsys.source.shop.Shop"


def section(run: RunFiles) -> Section:
    """A line per limit."""
    return Section(
        "limits", "Limits", (), (Grid("limits", "What these figures do not say", ("limit",), tuple((each,) for each in _limits(run))),)
    )


def _limits(run: RunFiles) -> Iterator[str]:
    if run.config["data"]["source"]["_target_"] == SIMULATED:
        yield "The data are simulated: their users are a program, and figures say nothing of real ones."
    yield "Intervals say how far other users would move the figures, not another seed, other weeks or another split."
    if run.task == "retrieval":
        yield "What users chose, they chose among what was shown to them then: an item that was never shown counts as no hit."
    else:
        yield "Only rows that were shown are predicted here: of items that an earlier system did not show nothing is known."
    yield from unknown_rows(run.data)
    for key, rows in run.metrics.items():
        match = re.fullmatch(r"test/([^/=]+)/rows", key)
        positives = None if match is None else run.metrics.get(f"test/{match[1]}/positives")
        if positives is not None and positives in (0, rows):
            yield f"{match[1]} has rows of one class alone in the test, so AUC and what needs both have no value."
    git = run.lineage.get("git")
    if git is None:
        yield "The commit is not known: the run cannot be made again exactly."
    elif git["dirty"]:
        yield "Code was changed and not committed: the commit alone does not make the run again."
    if run.config["trainer"].get("accelerator") == "cpu":
        yield "Trained on CPUs; no figure here is of a GPU."
