"""What reports ask of a retrieval run: its tables and words, its sections, and how runs are compared."""

from collections.abc import Iterator

from recsys.metric.declaration import Declaration, usual_columns
from recsys.metric.per_user import declarations
from recsys.report.content import Grid, Section
from recsys.report.grids import MODEL, VALIDATION, Metrics, Outcome, beside_baselines, by_groups, verdict
from recsys.report.sections import curves
from recsys.run.directory import ITEM_VECTORS, PER_USER, RunDirectory
from recsys.task.retrieval.report import embeddings, examples, results
from recsys.task.retrieval.report.compare import REMEDY, RESAMPLES, incomparable, measured

__all__ = ["REMEDY", "RESAMPLES", "incomparable", "measured"]
FILES = (PER_USER, ITEM_VECTORS)
"""Files of a run of this task that its report reads."""


def outcomes(metrics: Metrics, model: str) -> list[Outcome]:
    """The model among its baselines over the whole catalogue; empty where nothing was measured.

    Args:
        metrics: flat.
        model: what the model is called.
    """
    columns = beside_columns(metrics)
    if not columns:
        return []
    users, left_out = (metrics.get(f"{MODEL}{key}") for key in ("users", "users_left_out"))
    counted = "" if users is None else f" for {users:,.0f} users"
    aside = f" ({left_out:,.0f} more have nothing new to find)" if left_out else ""
    title = f"Whole catalogue ranked{counted}{aside}"
    table = beside_baselines(metrics, columns, name="baselines", title=title, model=model)
    metric = next(iter(columns.values()))
    ends = {end: end for end in group_columns(metrics)}
    groups = by_groups(metrics, ends, name="slices", title="By groups", sizes={"users": "users"}, bars=metric.chance)
    return [Outcome(table, verdict(table, metric), groups, metric)]


def tables(metrics: Metrics, model: str) -> list[Grid]:
    """Tables of the terminal."""
    return [grid for outcome in outcomes(metrics, model) for grid in (outcome.table, outcome.groups) if grid is not None]


def beside_columns(metrics: Metrics) -> dict[str, Declaration]:
    """Metrics to show beside baselines; the first, a recall, orders and judges."""
    return usual_columns([metric for metric in declarations() if metric.beside], metrics, MODEL)


def group_columns(metrics: Metrics) -> list[str]:
    """Metrics to show of groups, at the cut-offs that groups were measured at."""
    ends = [key.rpartition("/")[2] for key in metrics if key.startswith(MODEL) and "=" in key]
    return list(usual_columns([metric for metric in declarations() if metric.groups and metric.beside], ends, ""))


def tested_on(run: RunDirectory) -> str:
    """How many users the test asked for, in words."""
    return f"{run.metrics['test/users']:,.0f} users"


def sections(run: RunDirectory) -> Iterator[Section | None]:
    """What a report says of this task, before data, cost and limits."""
    (outcome,) = outcomes(run.metrics, run.model_name)
    yield results.section(run, outcome)
    yield results.groups_section(run, outcome.groups)
    yield examples.section(run, next(iter(beside_columns(run.metrics))))
    yield embeddings.section(run)
    keys = [f"{VALIDATION}{column}" for column in list(beside_columns(run.metrics))[:2]]
    yield curves.section(run, {"validation": ("Validation", keys)})


def limits(run: RunDirectory) -> Iterator[str]:
    """What speaks against trusting figures of this task."""
    yield "What users chose, they chose among what was shown to them then: an item that was never shown counts as no hit."
