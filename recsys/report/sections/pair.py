"""What a ranker makes of a retriever's candidates."""

from recsys.report import pair
from recsys.report.content import Grid, Section
from recsys.run.files import RunFiles


def section(run: RunFiles) -> Section | None:
    """A row per order of the same candidates; None where no retriever was named."""
    if "pair/test/candidates" not in run.metrics:
        return None
    columns = pair.shown_columns(run.metrics)
    rows = []
    for order, name in pair.ROWS.items():
        values = [run.metrics.get(f"{order}/test/{column}{bound}") for column in columns for bound in ("", "/low", "/high")]
        if any(value is not None for value in values):
            rows.append((name, *values))
    headings = ("", *(heading for column in columns for heading in (column, "from", "to")))
    candidates, users = (int(run.metrics[f"pair/test/{name}"]) for name in ("candidates", "users"))
    grid = Grid("pair", f"The best {candidates:,} of the retriever, in several orders", headings, tuple(rows))
    return Section("pair", "Behind a retriever", (f"{users:,} test users. {pair.verdict(run.metrics)}",), (grid,))
