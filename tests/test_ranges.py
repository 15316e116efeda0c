"""Ranges that stand in annotations, and what constructors refuse by them."""

import math
from typing import Annotated

import pytest
from annotated_types import Ge, Len

from recsys.errors import ArgumentError
from recsys.ranges import (
    AnyNumber,
    Column,
    Count,
    Counts,
    DropRate,
    NonNegative,
    Part,
    Positive,
    PositiveShare,
    Rising,
    Seed,
    Share,
    Widths,
    Word,
    outside,
    require_ranges,
)


@pytest.mark.parametrize(
    ("annotation", "inside", "beyond"),
    [
        (Count, [1, 10**9], [0, -1]),
        (Seed, [0, 2**32 - 1], [-1, 2**32]),
        (Positive, [1e-300, 5], [0, -1, math.inf, math.nan]),
        (NonNegative, [0, 0.0, 3], [-1e-300, math.inf, math.nan]),
        (Share, [0, 1, 0.5], [-0.1, 1.1, math.nan]),
        (PositiveShare, [1, 0.1], [0, 1.1]),
        (Part, [0.1], [0, 1]),
        (DropRate, [0, 0.9], [1, -0.1]),
        (AnyNumber, [-5, 0.0], [math.inf, math.nan]),
        (Counts, [[1], [20, 10]], [[], [0], [5, 5], [5, -1]]),
        (Rising, [[1, 2]], [[2, 1], [1, 1], []]),
        (Widths, [[], [8, 8]], [[0], [8, -1]]),
        (Column, ["a", "a b"], ["", "  "]),
        (Word, ["a", "movielens-1m", "v1.2", "Größe"], ["", ".", "../x", "a/b", "a b", "-x", "x" * 101, "a\n"]),
        (Count | None, [None, 1], [0]),
        (Annotated[tuple[Share, Share], Len(2, 2)], [(0.9, 0.99)], [(0.9,), (0.9, 1.1), (0.1, 0.2, 0.3)]),
        (dict[str, Positive], [{}, {"a": 1}], [{"a": 0}]),
        (int, [-5], []),
    ],
)
def test_values_inside_pass_and_those_beyond_do_not(annotation, inside, beyond):
    assert [value for value in inside if list(outside("x", value, annotation))] == []
    assert [value for value in beyond if not list(outside("x", value, annotation))] == []


class Made:
    def __init__(self, num: Count, weights: dict[str, NonNegative], *, least: Annotated[int, Ge(3)] | None = None, free: int = 0):
        require_ranges(Made, locals())


def test_constructor_refuses_all_its_arguments_at_once_with_their_names():
    Made(1, {}, free=-1)
    with pytest.raises(ArgumentError) as refused:
        Made(0, {"click": -1.0, "buy": 1.0}, least=2)
    assert [(fault.where, fault.what.rpartition(" ")[2]) for fault in refused.value.faults] == [
        ("num", "0"),
        ("weights.click", "-1.0"),
        ("least", "2"),
    ]
    assert "at least 3" in refused.value.faults[-1].remedy
