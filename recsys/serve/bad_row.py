"""What is wrong with one row of a request, for people and for programs."""

from typing import Any

USER = -1
"""`BadRow.row` of the one user that a ranker's rows share."""


class BadRow(ValueError):
    """A row that cannot be answered.

    Attributes:
        row: its number, from 0; -1 is the `user` of `Ranker.predict`.
        field: the column.
        got: the value as text, cut, with its type.
        want: what the column takes.
        of_row: the text names the row alone, as its fault is not the value of one column.
    """

    def __init__(self, row: int, field: str, got: str, want: str, of_row: bool = False):
        super().__init__(row, field, got, want, of_row)
        self.row, self.field, self.got, self.want, self.of_row = row, field, got, want, of_row

    def __str__(self) -> str:
        where = "user" if self.row == USER else f"row {self.row}"
        return f"{where}{'' if self.of_row else f', {self.field!r}'}: got {self.got}; want {self.want}"


def report(fault: BadRow, bad: list[BadRow] | None) -> None:
    """Raise the fault, or add it to the list."""
    if bad is None:
        raise fault
    bad.append(fault)


def cut(value: Any) -> str:
    """A value as text of bounded length."""
    try:
        text = repr(value[:60] if isinstance(value, str | bytes | bytearray) else value)
    except Exception:  # nested too deep, an integer of too many digits, a broken __repr__: the request is wrong, not the server
        text = "a value that cannot be shown"
    return text if len(text) <= 60 else text[:57] + "..."


def value_text(value: Any) -> str:
    """A value as text of bounded length, with its type."""
    return f"{cut(value)} ({type(value).__name__})"
