"""Labels that a model predicts, and the funnels that they form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from recsys.errors import Fault, nearest


@dataclass(frozen=True)
class Label:
    """A column that a model predicts.

    Attributes:
        column: column name in the interactions table.
        given: binary label that must be 1 for this one to be observable: conversion is `given: click`.
        kind: "binary" is 0 or 1, "regression" a number.
        policy: what happens to rows where this label is set though the label it is given is 0: "fail" refuses the data, "drop" leaves
            the rows out, "clip" takes the label for 0; the last two are counted.
    """

    column: str
    given: str | None = None
    kind: Literal["binary", "regression"] = "binary"
    policy: Literal["fail", "drop", "clip"] = "fail"


def chains(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """{label: columns of its funnel, from the one that is given none down to itself}.

    Args:
        labels: each after the label it is given.

    Example:
        >>> chains([Label("click"), Label("conversion", given="click")])["conversion"]
        ('click', 'conversion')
    """
    columns: dict[str | None, tuple[str, ...]] = {}
    for label in labels:
        columns[label.column] = (*columns.get(label.given, ()), label.column)
    return {label.column: columns[label.column] for label in labels}


def label_faults(labels: Sequence[Label], positive: str | None) -> Iterator[Fault]:
    """Faults of labels beside each other, and of the one that makes a row positive."""
    columns = [label.column for label in labels]
    for place, label in enumerate(labels):
        number = columns.count(label.column)
        if number > 1 and columns.index(label.column) == place:
            yield _fault(label, f"is declared {number} times", "keep one of them")
        if label.given is None:
            continue
        if label.given not in columns:
            what = f"is given '{label.given}', which is no label{nearest(label.given, columns)}"
            yield _fault(label, what, f"use one of {columns}")
        if label.given in columns[place:]:
            what = f"stands before '{label.given}', which it is given"
            yield _fault(label, what, "list each label after the one it is given")
        if any(other.column == label.given and other.kind != "binary" for other in labels):
            yield _fault(label, f"is given '{label.given}', which is a number", "a label can be given one that is 0 or 1")
    if positive is not None and positive not in columns:
        what = f"positive '{positive}' is no label{nearest(positive, columns)}"
        yield Fault(what, "data.positive", f"use one of {columns}, or null")


def _fault(label: Label, what: str, remedy: str) -> Fault:
    return Fault(f"label '{label.column}' {what}", f"data.labels, column '{label.column}'", remedy)
