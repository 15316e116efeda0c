from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from torch import Tensor

from recsys.config import GateConfig
from recsys.config.values import convert, elements, fits, hint, plain, words
from recsys.ranges import Column, Count


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, int),
        (1, float),
        (0.5, float),
        (True, bool),
        ("a", str),
        ("a", Path),
        (None, None),
        (None, int | None),
        ("fail", Literal["fail", "quarantine"]),
        (1, Literal[1, "a"]),
        ({"anything"}, Any),
        (0.5, float | Tensor),
    ],
)
def test_fits_what_the_annotation_says(value, annotation):
    assert fits(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (float("inf"), float),
        (0, Count),
        ("", Column | None),
        (1.0, int),
        (True, int),
        (True, float),
        (1, bool),
        ("true", bool),
        ("1e-3", float),
        (1, str),
        (3, Path),
        (None, int),
        (float("nan"), float),
        ("faill", Literal["fail", "quarantine"]),
        (True, Literal[1]),
        (3, Tensor),
        (3, Callable[..., int]),
    ],
)
def test_fits_nothing_else(value, annotation):
    assert not fits(value, annotation)


def test_words_name_what_is_wanted():
    assert words(float | None) == "a number or null"
    assert words(list[int]) == "a list of whole numbers"
    assert words(tuple[str, ...]) == "a list of text"
    assert words(GateConfig) == "the keys min, p99_ms, size_mb"
    assert words(Literal["a", "b"] | None) == "one of a, b or null"
    assert words(Mapping[str, int]) == "a mapping"
    assert words(float | Tensor) == "a number"  # a yaml file holds no tensor
    assert words(Tensor) == "a Tensor"


def test_elements_of_lists_but_not_of_tensors_or_text():
    assert elements(list[int]) == (int, ...)
    assert elements(Sequence[str]) == (str, ...)
    assert elements(tuple[int, float]) == (int, float)
    assert elements(Tensor) is None
    assert elements(str) is None
    assert elements(dict[str, int]) is None


def test_plain_types_are_those_that_yaml_can_hold():
    assert plain(int | None)
    assert plain(list[float])
    assert plain(Callable[..., Tensor])  # a node with _partial_: true
    assert not plain(Tensor)
    assert not plain(list[Tensor])


def test_hint_says_what_to_write():
    assert hint("1e-3", float) == "write 1e-3 without quotes"
    assert hint(3.0, int | None) == "write 3"
    assert hint("x", float) == "give a number"


def test_convert_gives_paths_and_tuples_where_they_are_asked_for():
    assert convert("a/b", Path | None) == Path("a/b")
    assert convert("a/b", str | Path) == "a/b"
    assert convert([1, 2], tuple[int, ...]) == (1, 2)
    assert convert([1, 2], list[int]) == [1, 2]
