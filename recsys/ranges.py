"""Ranges of arguments, which stand in their annotations: a config is checked by them before anything is built, and constructors refuse.

A value that is no number has no range; whoever checks types (`recsys.config.values`) has refused it before.
"""

import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, Any

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Interval, Le, Lt, MaxLen, MinLen, Predicate

from recsys.errors import ArgumentError, Fault


def distinct(values: Sequence) -> bool:
    """Whether no value stands there twice."""
    return len(set(values)) == len(values)


def rising(values: Sequence) -> bool:
    """Whether each value is larger than the one before."""
    return all(one < other for one, other in pairwise(values))


def finite(value: float) -> bool:
    """Whether the value is a number, and not infinite."""
    return math.isfinite(value)


def even(value: int) -> bool:
    """Whether 2 divides the value."""
    return value % 2 == 0


def filled(value: str) -> bool:
    """Whether there is more than blanks."""
    return bool(value.strip())


def one_word(value: str) -> bool:
    """Whether a text can be the name of a file or folder everywhere: letters, digits, '_', '-' and '.', with a letter or digit first."""
    return re.fullmatch(r"\w[\w.-]*", value) is not None


Count = Annotated[int, Ge(1)]
Natural = Annotated[int, Ge(0)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
AnyNumber = Annotated[float, Predicate(finite)]
Share = Annotated[float, Interval(ge=0, le=1)]
PositiveShare = Annotated[float, Interval(gt=0, le=1)]
Part = Annotated[float, Interval(gt=0, lt=1)]
DropRate = Annotated[float, Interval(ge=0, lt=1)]
Seed = Annotated[int, Interval(ge=0, lt=2**32)]
"""A seed that numpy and Lightning take."""
Widths = Sequence[Count]
Counts = Annotated[list[Count], MinLen(1), Predicate(distinct)]
Positives = Annotated[list[Positive], MinLen(1), Predicate(distinct)]
NonNegatives = Annotated[list[NonNegative], MinLen(1), Predicate(distinct)]
Rising = Annotated[Sequence[Count], MinLen(1), Predicate(rising)]
Word = Annotated[str, MaxLen(100), Predicate(one_word)]
Column = Annotated[str, Predicate(filled)]
"""Name of a column, a label or a metric: any text but an empty one."""
PREDICATES = {
    distinct: "without repetitions",
    rising: "in rising order",
    even: "even",
    finite: "that is finite",
    filled: "that is not empty",
    one_word: "of letters, digits, '_', '-' and '.'",
}
"""{rule: its words}."""


def limits(annotation: Any) -> list[BaseMetadata]:
    """The rules of one annotation, one by one; none where it is no `Annotated`."""
    if typing.get_origin(annotation) is not Annotated:
        return []
    flat: list[BaseMetadata] = []
    for entry in annotation.__metadata__:
        if isinstance(entry, GroupedMetadata):
            flat += [part for part in entry if isinstance(part, BaseMetadata)]
        elif isinstance(entry, BaseMetadata):
            flat.append(entry)
    return flat


def keeps(value: Any, rule: BaseMetadata) -> bool:
    """Whether a value keeps a rule; a number that is not finite keeps none."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    match rule:
        case Ge(ge=low):
            return value >= low
        case Gt(gt=low):
            return value > low
        case Le(le=high):
            return value <= high
        case Lt(lt=high):
            return value < high
        case MinLen(min_length=least):
            return len(value) >= least
        case MaxLen(max_length=most):
            return len(value) <= most
        case Predicate(func=holds):
            return bool(holds(value))
    raise AssertionError(f"no rule is a {type(rule).__name__}")


def rule_words(rule: BaseMetadata) -> str:
    """A rule in words that follow those of the type."""
    match rule:
        case Ge(ge=low):
            return f"of at least {low}"
        case Gt(gt=low):
            return f"above {low}"
        case Le(le=high):
            return f"of at most {high}"
        case Lt(lt=high):
            return f"below {high}"
        case MinLen(min_length=least):
            return "that is not empty" if least == 1 else f"with {least} entries or more"
        case MaxLen(max_length=most):
            return f"up to {most} long"
        case Predicate(func=holds):
            return PREDICATES[holds]
    raise AssertionError(f"no rule is a {type(rule).__name__}")


def range_words(rules: Sequence[BaseMetadata]) -> str:
    """Rules in words, such as " above 0 and of at most 1"; empty without any."""
    return " " + " and ".join(map(rule_words, rules)) if rules else ""


def require_ranges(made: type, arguments: dict[str, Any]) -> None:
    """Refuse arguments of a class that leave the ranges of their annotations; a constructor calls it with its `locals()`.

    Raises:
        ArgumentError: naming every argument.
    """
    if faults := range_faults(made, arguments):
        raise ArgumentError(*faults)


def range_faults(made: type, arguments: dict[str, Any]) -> list[Fault]:
    """One fault per argument of a class that leaves the range of its annotation; others of `arguments` are left alone."""
    annotations = _annotations(made)
    return [fault for name, value in arguments.items() if name in annotations for fault in outside(name, value, annotations[name])]


def outside(name: str, value: Any, annotation: Any) -> Iterator[Fault]:
    """Faults of a value, called `name`, and of its entries; None has none."""
    if value is None:
        return
    rules = limits(annotation)
    kind = typing.get_args(annotation)[0] if rules else annotation
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        yield from min((list(outside(name, value, part)) for part in parts if part is not type(None)), key=len)
        return
    if not all(keeps(value, rule) for rule in rules):
        yield Fault(f"{name} is {value!r:.60}", name, f"choose a value{range_words(rules)}")
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, entry in entries:
        yield from outside(f"{name}.{key}", entry, parts[-1 if isinstance(value, dict) else 0] if parts else Any)


@functools.cache
def _annotations(made: type) -> dict[str, Any]:
    return {name: entry.annotation for name, entry in inspect.signature(made, eval_str=True).parameters.items()}
