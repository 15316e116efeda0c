"""Plain values of a yaml file and type annotations: whether a value fits, what would, and its conversion."""

import contextlib
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union

from annotated_types import BaseMetadata

from recsys.ranges import keeps, limits, range_words

UNIONS = (Union, types.UnionType)
LISTS = (list, set, frozenset, Sequence, Iterable, Collection)
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path", type(None): "null"}
WORDS |= {dict: "a mapping"}


def alternatives(annotation: Any) -> tuple:
    """The types that an annotation allows, unions flattened; `(Any,)` where it says nothing."""
    return tuple(kind for kind, _ in ruled(annotation))


def ruled(annotation: Any) -> tuple[tuple[Any, tuple[BaseMetadata, ...]], ...]:
    """(type, its ranges) of each alternative of an annotation."""
    if annotation is inspect.Parameter.empty or isinstance(annotation, str | TypeVar) or annotation in (Any, object):
        return ((Any, ()),)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        rules = tuple(limits(annotation))
        return tuple((kind, (*inner, *rules)) for kind, inner in ruled(typing.get_args(annotation)[0]))
    if origin in UNIONS:
        return tuple(pair for part in typing.get_args(annotation) for pair in ruled(part))
    return ((type(None), ()),) if annotation is None else ((annotation, ()),)


def elements(kind: Any) -> tuple | None:
    """Element types of a list-like type, `(X, ...)` for any length; None when the type is not list-like."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is tuple:
        return arguments or (Any, ...)
    return (arguments[0] if arguments else Any, ...) if origin in LISTS else None


def mapping_values(kind: Any) -> Any | None:
    """Type of a mapping's values; None when the type is no mapping."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return arguments[1] if arguments else Any
    return None


def returned(kind: Any) -> Any | None:
    """Type of a Callable's result; None when the type is no Callable."""
    if (typing.get_origin(kind) or kind) is not Callable:
        return None
    arguments = typing.get_args(kind)
    return arguments[1] if arguments else Any


def fits(value: Any, annotation: Any) -> bool:
    """Whether a scalar (text, number, bool or null) has this type and range; an int may stand for a float, nothing else."""
    return any(_fits(value, kind) and all(keeps(value, rule) for rule in rules) for kind, rules in ruled(annotation))


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if typing.get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in typing.get_args(kind))
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is Path:
        return isinstance(value, str | Path)
    return kind in (int, str, bool, type(None)) and type(value) is kind


def plain(annotation: Any) -> bool:
    """Whether a yaml file can hold a value of this type, as a value or as a partial node."""
    return any(
        kind is Any
        or kind in WORDS
        or returned(kind) is not None
        or typing.get_origin(kind) is Literal
        or ((inner := elements(kind)) is not None and plain(inner[0]))
        for kind in alternatives(annotation)
    )


def words(annotation: Any) -> str:
    """The values of an annotation, in words.

    Example:
        >>> from annotated_types import Ge
        >>> words(float | None), words(list[Annotated[int, Ge(1)]])
        ('a number or null', 'a list of whole numbers of at least 1')
    """
    pairs = ruled(annotation)
    literals = [str(choice) for kind, _ in pairs if typing.get_origin(kind) is Literal for choice in typing.get_args(kind)]
    others = [(kind, rules) for kind, rules in pairs if typing.get_origin(kind) is not Literal]
    if len(others) > 1:  # a yaml file can hold no tensor, so it is not offered beside a number
        others = [pair for pair in others if pair[0] in WORDS or typing.get_origin(pair[0]) or not inspect.isclass(pair[0])] or others
    one_of = [f"one of {', '.join(dict.fromkeys(literals))}"] if literals else []
    return " or ".join(dict.fromkeys(one_of + [_words(kind) + range_words(rules) for kind, rules in others]))


def _words(kind: Any) -> str:
    if kind is Any:
        return "anything"
    if kind in WORDS:
        return WORDS[kind]
    if (entries := elements(kind)) is not None:
        inner = words(entries[0]).removeprefix("a ")
        return "a list" if inner == "anything" else "a list of " + re.sub("(number|path)(?= |$)", r"\1s", inner)
    if mapping_values(kind) is not None:
        return "a mapping"
    if is_dataclass(kind):
        return f"the keys {', '.join(entry.name for entry in fields(kind))}"
    if returned(kind) is not None:
        return "a node with _target_ and _partial_: true"
    return f"a {kind.__name__}" if inspect.isclass(kind) else str(kind)


def choices(annotation: Any) -> list[str]:
    """The texts that an annotation enumerates; none where it enumerates nothing."""
    literals = [kind for kind in alternatives(annotation) if typing.get_origin(kind) is Literal]
    return [choice for kind in literals for choice in typing.get_args(kind) if isinstance(choice, str)]


def hint(value: Any, annotation: Any) -> str:
    """Remedy for a value that does not fit: another way to write it, where one is known."""
    kinds = alternatives(annotation)
    if isinstance(value, str) and (float in kinds or int in kinds):
        with contextlib.suppress(ValueError):
            if float(value).is_integer() or float in kinds:
                return f"write {value} without quotes"
    if isinstance(value, float) and int in kinds and value.is_integer():
        return f"write {int(value)}"
    return "give one of these" if choices(annotation) else f"give {words(annotation)}"


def convert(value: Any, annotation: Any) -> Any:
    """The value as its annotation types it: text to Path, list to tuple."""
    kinds = alternatives(annotation)
    if isinstance(value, str) and Path in kinds and str not in kinds:
        return Path(value)
    if isinstance(value, list) and any((typing.get_origin(kind) or kind) is tuple for kind in kinds):
        return tuple(value)
    return value
