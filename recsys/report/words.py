"""Numbers and times in the words of a report."""

from collections.abc import Mapping
from typing import Any

from recsys.report.content import Value, number

SMALL = 1e-3
"""Numbers below it need other digits than four behind the point."""
HIT = "✓"
"""Before an item that the user chose."""


def cell_text(value: Value, column: str) -> str:
    """A cell as a person reads it, without its interval; what a column holds tells how many digits it needs.

    Example:
        >>> cell_text(0.1218, "share"), cell_text(1234567, "rows"), cell_text(0.14703, "recall@20"), cell_text(None, "from")
        ('12.2 %', '1,234,567', '0.1470', '–')
    """
    value = number(value)
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if column == "share":
        return percent(value)
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < abs(value) < SMALL and "−" not in column:
        return f"{value:.2g}".replace("-", "−")
    digits = 1 if column == "seconds" or abs(value) >= 100 else 4
    return f"{value:{'+' if '−' in column else ''},.{digits}f}".replace("-", "−")


def interval(value: Value, column: str) -> str:
    """The interval of a cell in few digits; "" where it has none.

    Example:
        >>> from recsys.report.content import Estimate
        >>> interval(Estimate(0.147, 0.1412, 0.1528), "recall@20"), interval(0.147, "recall@20")
        ('0.141–0.153', '')
    """
    bounds = getattr(value, "bounds", None)
    if bounds is None:
        return ""
    signed = "−" in column
    texts = [f"{bound:+.4f}" if signed else f"{bound:.3f}" for bound in bounds]
    return (" to " if signed else "–").join(texts).replace("-", "−")


def percent(share: float) -> str:
    """A share as a person writes it.

    Example:
        >>> percent(0.0473)
        '4.7 %'
    """
    return f"{100 * share:.1f} %"


def rounded_percent(share: float, sign: str = "") -> str:
    """A share in whole percent; with `sign="+"` as a change.

    Example:
        >>> rounded_percent(0.5), rounded_percent(0.25, "+")
        ('50 %', '+25 %')
    """
    return f"{share:{sign}.0%}".replace("%", " %")


def readable_size(size: float) -> str:
    """Bytes in the unit that a person would choose.

    Example:
        >>> readable_size(842053)
        '842.1 kB'
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit != "B" else f"{size:.0f} B"
        size = size / 1000
    return f"{size:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would choose.

    Example:
        >>> duration(75.2)
        '1 min 15 s'
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def day(moment: str) -> str:
    """An ISO 8601 moment without its T and Z, to the minute.

    Example:
        >>> day("2025-03-23T23:51:08Z")
        '2025-03-23 23:51'
    """
    return moment.replace("T", " ")[:16]


def item_text(item: Mapping[str, Any]) -> str:
    """An item by its title, else by its id and kind."""
    if item["title"] is not None:
        return item["title"]
    return f"{item['id']} ({item['about']})" if item["about"] else str(item["id"])


def value_text(value: Any) -> str:
    """A raw value in few letters."""
    if isinstance(value, list):
        return " · ".join("unknown" if entry is None else str(entry) for entry in value) or "none"
    return "–" if value is None else f"{value:,g}" if isinstance(value, float) else str(value)
