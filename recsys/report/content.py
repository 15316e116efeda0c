"""What a report says, apart from how it is shown: the HTML page and Weights & Biases are made of it."""

from dataclasses import dataclass
from pathlib import Path

Value = str | int | float | None


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        name: key, unique in a report, such as "slices" or "calibration/click".
        title: above the table.
        columns: headings.
        rows: one value per column; None where there is none.
        note: below the table: what its values are, and of what.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        name: key, unique in a report, such as "slices" or "calibration/click".
        title: above the drawing.
        svg: one `<svg>` element that needs no other file.
        alt: what it shows, for who cannot see it.
    """

    name: str
    title: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Section:
    """What is said of one subject.

    Attributes:
        name: key, unique among sections.
        title: its heading.
        text: paragraphs, before the parts.
        parts: tables and drawings, in the order to be read.
    """

    name: str
    title: str
    text: tuple[str, ...]
    parts: tuple[Grid | Figure, ...]


@dataclass(frozen=True)
class Report:
    """All that is said of a run.

    Attributes:
        title: task and data.
        verdict: in words: how good it is beside what; a line for each label, or run.
        facts: (name, value) in few words: when, on what, for how long.
        sections: in the order to be read.
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def report_of(run: Path) -> Report:
    """The report of a finished run, from the files of its directory alone.

    Raises:
        ConfigError: it did not finish, or an older version left it without what a report needs.
    """
    from recsys.report.whole import whole_report  # sections are made of what stands above

    return whole_report(run)
