"""The rows of which a ranker was most wrong, with all that it knew of them."""

from recsys.report.content import Grid, Section
from recsys.report.words import item_text, value_text
from recsys.run.directory import RunDirectory

TEXT = (
    "Most of these are chance: of a hundred rows with a probability of 1 % one comes true. Look for what they have in common: a value "
    "that is missing or wrong, or a kind of row that the model does not know."
)


def section(run: RunDirectory) -> Section:
    """A row per mistake, label by label."""
    rows = []
    for mistake in run.examples["mistakes"]:
        values = {"user": mistake["user"]} | mistake["row"]
        known = ", ".join(f"{column} {value_text(value)}" for column, value in values.items() if value is not None)
        actual = mistake["actual"]
        item = "" if mistake["item"] is None else item_text(mistake["item"])
        rows.append((mistake["label"], mistake["kind"], mistake["predicted"], int(actual) if actual in (0, 1) else actual, item, known))
    headings = ("label", "kind", "predicted", "actual", "item", "what was known")
    grid = Grid("mistakes", "Worst mistakes", headings, tuple(rows))
    return Section("mistakes", "Worst mistakes", (f"Shown are {run.examples['chosen']}.", TEXT), (grid,))
