"""Content of a report, of which terminal, HTML page, model card and Weights & Biases are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

THIS = " (this run)"
"""End of the name of the run itself where no other look distinguishes its row."""
LONG = 45
"""Letters of a text that no longer is a name."""


class Estimate(NamedTuple):
    """A number with the bounds of its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Both bounds, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


Value = str | int | float | Estimate | None
Row = tuple[Value, ...]
Mark = Literal["", "own", "best", "reference", "truth", "validation", "aside"]
"""Kind of a row: one of many, the run itself, the best of all, the reference of the run, the truth, the run at validation, or one
that counts less."""


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        name: key, unique in a report, such as "slices" or "calibration/click".
        rows: one value per column; None where there is none.
        note: below the table: meaning of its values.
        marks: one per row, or none at all.
        bars: value at which a bar of the first number would be empty, where a bar says anything.
        folders: place of the column that names folders beside the page.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    marks: tuple[Mark, ...] = ()
    bars: float | None = None
    folders: int | None = None

    def marked(self) -> list[tuple[Mark, Row]]:
        """Rows with their marks."""
        return list(zip(self.marks or [""] * len(self.rows), self.rows))

    def column(self, place: int) -> list[Value]:
        """Values of a column."""
        return [row[place] for row in self.rows]

    def flat(self) -> "Grid":
        """The same without estimates: the bounds of a column that has them stand beside it, and the run itself is named."""
        headings: list[str] = []
        columns: list[list[Value]] = []
        for place, heading in enumerate(self.columns):
            values = self.column(place)
            headings.append(heading)
            columns.append([number(value) for value in values])
            if any(isinstance(value, Estimate) and value.bounds for value in values):
                for bound in (1, 2):
                    headings.append(f"{heading} {('', 'from', 'to')[bound]}")
                    columns.append([value[bound] if isinstance(value, Estimate) else None for value in values])
        own = [mark == "own" for mark, _ in self.marked()]
        columns[0] = [f"{value}{THIS}" if mine else value for value, mine in zip(columns[0], own)]
        return Grid(self.name, self.title, tuple(headings), tuple(zip(*columns)), self.note)


@dataclass(frozen=True)
class Figure:
    """A drawing under a name that is unique in a report: one `<svg>` element that needs no other file, and its content in words."""

    name: str
    title: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A subject under a name that is unique among sections: paragraphs, then tables and drawings in the order to be read."""

    name: str
    title: str
    text: tuple[str, ...]
    parts: tuple[Grid | Figure, ...]


@dataclass(frozen=True)
class Report:
    """A page on a run, a comparison or a sweep.

    Attributes:
        verdict: in words: how good it is beside what; a line for each label, or run.
        facts: (name, value) in few words: when, on what, for how long.
        kind: sort of page, above the title.
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    kind: str = "Evaluation report"


def number(value: Value) -> str | int | float | None:
    """A value without its interval."""
    return value.value if isinstance(value, Estimate) else value


def column_kind(values: Sequence[Value]) -> Literal["number", "text", "prose", "lines"]:
    """Setting of a column: numbers to the right, sentences where they may wrap, and lines below each other."""
    present = [value for value in values if value is not None]
    texts = [value for value in present if isinstance(value, str)]
    if present and not texts:
        return "number"
    if any("\n" in text for text in texts):
        return "lines"
    return "prose" if any(len(text) > LONG for text in texts) else "text"
