"""Report facet of retrieval: its tables and words, its sections, and how runs are compared."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys.disk.records import reading
from recsys.errors import count_text
from recsys.metric.declaration import Declaration, usual_columns
from recsys.metric.per_user import declarations
from recsys.report.content import Grid, Section
from recsys.report.curves import curves_section
from recsys.report.grids import MODEL, VALIDATION, Metrics, Outcome, beside_baselines, by_groups, verdict
from recsys.report.words import HIT, item_text, value_text
from recsys.run.directory import EXAMPLES, ITEM_VECTORS, PER_USER, RunDirectory
from recsys.task.retrieval.report import embeddings, results
from recsys.task.retrieval.report.compare import REMEDY, RESAMPLES, incomparable, measurements

__all__ = ["REMEDY", "RESAMPLES", "incomparable", "measurements"]
FILES = (PER_USER, ITEM_VECTORS)
"""Files of a run of this task that its report reads."""
LISTED = {"history": 5, "truth": 8, "recommended": 10}
"""Items of each list of a sample user."""


def outcomes(metrics: Metrics, model: str) -> list[Outcome]:
    """The model among its baselines over the whole catalogue; empty where nothing was measured."""
    columns = beside_columns(metrics)
    if not columns:
        return []
    users, left_out = (metrics.get(f"{MODEL}{key}") for key in ("users", "users_left_out"))
    asked = f"{users:,.0f} of " if users is not None and left_out else ""
    counted = "" if users is None else f" for {asked}{count_text(users + (left_out or 0), 'user')}"
    aside = f" ({left_out:,.0f} have nothing new to find)" if left_out else ""
    title = f"Whole catalogue ranked{counted}{aside}"
    table = beside_baselines(metrics, columns, name="baselines", title=title, model=model)
    metric = next(iter(columns.values()))
    # groups have cut-offs of their own
    ends = [key.rpartition("/")[2] for key in metrics if key.startswith(MODEL) and "=" in key]
    of_groups = usual_columns([metric for metric in declarations() if metric.groups and metric.beside], ends, "")
    groups = by_groups(
        metrics, {end: end for end in of_groups}, name="slices", title="By groups", sizes={"users": "users"}, bars=metric.chance
    )
    return [Outcome(table, verdict(table, metric), groups, metric)]


def tables(metrics: Metrics, model: str) -> list[Grid]:
    """Tables of the terminal."""
    return [grid for outcome in outcomes(metrics, model) for grid in (outcome.table, outcome.groups) if grid is not None]


def beside_columns(metrics: Metrics) -> dict[str, Declaration]:
    """Metrics to show beside baselines; the first, a recall, orders and judges."""
    return usual_columns([metric for metric in declarations() if metric.beside], metrics, MODEL)


def tested_on(run: RunDirectory) -> str:
    """Number of users that the test asked, in words."""
    return count_text(run.metrics["test/users"], "user")


def sections(run: RunDirectory) -> Iterator[Section | None]:
    """Sections of a report on this task, before data, cost and limits."""
    (outcome,) = outcomes(run.metrics, run.model_name)
    yield results.section(run, outcome)
    yield results.section_of_groups(run, outcome.groups)
    columns = list(beside_columns(run.metrics))
    yield _examples(run, columns[0])
    yield embeddings.section(run)
    yield curves_section(run, {"validation": ("Validation", [f"{VALIDATION}{column}" for column in columns[:2]])})


def limits(run: RunDirectory) -> Iterator[str]:
    """Limits of the figures of this task."""
    yield "What users chose, they chose among what was shown to them then: an item that was never shown counts as no hit."


def _examples(run: RunDirectory, metric: str) -> Section:
    """A row per sample user: what they had, what they chose in the test, what the model recommended, and its value in this metric."""
    with reading(run.path / EXAMPLES):
        rows = [_example(user, metric) for user in run.examples["users"]]
        chosen = str(run.examples["chosen"])
    headings = ("user", "had before, the latest first", "chose in the test", f"recommended, {HIT} chosen", metric)
    text = f"{chosen}. Nobody looked for good or bad ones."
    return Section("examples", "Some test users", (text,), (Grid("examples", "Recommendations", headings, tuple(rows)),))


def _example(user: Mapping[str, Any], metric: str) -> tuple:
    lists = {name: user[name][:most] for name, most in LISTED.items()}
    had, chose = (_lines(lists[name], user[f"num_{name}"]) for name in ("history", "truth"))
    recommended = "\n".join(
        f"{place}. {f'{HIT} ' if item['hit'] else ''}{item_text(item)}" for place, item in enumerate(lists["recommended"], 1)
    )
    about = ", ".join(value_text(value) for value in user["about"].values() if value not in (None, []))
    return f"{user['user']}\n{about}".strip(), had, chose, recommended, user["measured"].get(metric)


def _lines(items: Sequence[Mapping[str, Any]], number: int) -> str:
    more = [f"and {number - len(items):,} more"] if number > len(items) else []
    return "\n".join([*map(item_text, items), *more]) or "nothing"
