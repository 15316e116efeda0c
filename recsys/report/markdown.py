"""Markdown that shows what it is given: names from data and files can neither end a cell nor become markup."""

from collections.abc import Sequence


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, text: int = 1) -> str:
    """A table; "" without rows.

    Args:
        rows: cells in Markdown, as many as headings.
        text: so many first columns are aligned left, the others right.
    """
    if not rows:
        return ""
    lines = [headings, ["---" if place < text else "---:" for place in range(len(headings))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(name: object) -> str:
    """A name as it is, also inside a table.

    Example:
        >>> code("a|b")
        '`a\\\\|b`'
    """
    plain = " ".join(str(name).split()).replace("`", "'")
    return f"`{plain}`".replace("|", "\\|") if plain else "–"


def prose(text: object) -> str:
    """A sentence that may hold names: on one line, without markup of its own."""
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*[]|":
        plain = plain.replace(mark, f"\\{mark}")
    return plain
