"""Some users as a person would look at them."""

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.report.content import Grid, Section
from recsys.report.words import HIT, item_text, value_text
from recsys.run.directory import RunDirectory

SHOWN = {"history": 5, "truth": 8, "recommended": 10}
"""Items of each list."""


def section(run: RunDirectory, metric: str) -> Section:
    """A row per user: what they had, what they chose in the test, what the model recommended, and its value in this metric."""
    rows = []
    for user in run.examples["users"]:
        lists = {name: user[name][:most] for name, most in SHOWN.items()}
        had, chose = (_lines(lists[name], user[f"num_{name}"]) for name in ("history", "truth"))
        recommended = "\n".join(
            f"{place}. {f'{HIT} ' if item['hit'] else ''}{item_text(item)}" for place, item in enumerate(lists["recommended"], 1)
        )
        rows.append((f"{user['user']}\n{_about(user['about'])}".strip(), had, chose, recommended, user["measured"].get(metric)))
    headings = ("user", "had before, the latest first", "chose in the test", f"recommended, {HIT} chosen", metric)
    text = f"{run.examples['chosen']}. Nobody looked for good or bad ones."
    return Section("examples", "Some test users", (text,), (Grid("examples", "Recommendations", headings, tuple(rows)),))


def _lines(items: Sequence[Mapping[str, Any]], number: int) -> str:
    more = [f"and {number - len(items):,} more"] if number > len(items) else []
    return "\n".join([*map(item_text, items), *more]) or "nothing"


def _about(columns: Mapping[str, Any]) -> str:
    return ", ".join(value_text(value) for value in columns.values() if value not in (None, []))
