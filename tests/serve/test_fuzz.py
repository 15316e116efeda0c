"""Ten thousand requests that nobody should send: each is answered with finite numbers or refused by a typed error."""

import datetime
import decimal
import fractions
import math

import numpy as np
import pytest

from recsys.serve import BadRow, Ranker, Recommender, Retriever

NUMBER = 10_000
LONG = "x" * 10_000_000
SCALARS = [
    None, True, False, 0, 1, -1, 2**62, 2**63, -(2**63), 10**400, 10**5_000, 0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 1e39, 5e-324,
    "", "a", "b", "🛒", "Zürich", "\ud800", "\udfff", "a\0b", "\0", "1", "nan", "a" * 5_000, b"", b"a", bytearray(b"a"), 1j, ..., int, len,
    datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 1),
    datetime.timedelta(1), decimal.Decimal("NaN"), decimal.Decimal("sNaN"), decimal.Decimal(1), fractions.Fraction(1, 3),
    np.int8(1), np.uint64(2**64 - 1), np.float16(2), np.float32("nan"), np.float64("inf"), np.longdouble(1), np.bool_(True), np.str_("a"),
    np.bytes_(b"a"), np.datetime64("NaT"), np.datetime64("2026-01-01"), np.datetime64(2**62, "Y"), np.timedelta64(1, "s"), np.complex64(1),
    np.array(1), object(), {}, {"a": 1}, set(), frozenset("a"), range(3), iter([1]),
]  # fmt: skip
LISTS = [
    [], (), ["a"], ("a", "b"), ["a"] * 1_000, [None], [1, "a"], [[]], [["a"]], [[["a"]]], np.array([]), np.array(["a", "b"]),
    np.array([1, 2]), np.array([1.5, math.nan]), np.array([[1, 2]]), np.array(["a", None, 3], object), np.array([b"a"]), np.array([1j]),
    np.array(["2026-01-01"], "datetime64[s]"), np.array([True]), [1.0, 2.0], [1, 2], [math.inf, 0], [True, 1], ["\ud800"], ["a\0"],
]  # fmt: skip
FITTING = {
    "history": ["a", "x"], "number": 3, "vip": True, "tags": ["🛒"], "taste": [1, 2.5], "joined": 0, "item_id": "a",
    "price": 2.0, "device": "app",
}  # fmt: skip
FIELDS = tuple(FITTING)


def requests():
    """One to three rows, of which all fields, or none, or some, are as they should not be."""
    generator = np.random.default_rng(0)

    def value():
        pool = SCALARS if generator.random() < 0.6 else LISTS
        return pool[generator.integers(len(pool))]

    def row(fields):
        if generator.random() < 0.03:
            return value()
        chosen = [field for field in fields if generator.random() < 0.4]
        wrong = generator.random() * 0.8  # some rows have few wrong values, some have many
        row = {field: value() if generator.random() < wrong else FITTING[field] for field in chosen}
        if generator.random() < 0.03:
            row[["agee", "", None, 3, "\ud800", LONG][generator.integers(6)]] = value()
        return row

    for number in range(NUMBER):
        fields = FIELDS if number % 2 else FIELDS[:6]
        rows = [row(fields) for _ in range(generator.integers(1, 4))]
        if generator.random() < 0.15:
            rows = {field: [value() for _ in range(2)] for field in fields if generator.random() < 0.5}
        elif generator.random() < 0.03:
            rows = value()
        exclude = None if generator.random() < 0.8 else [value() for _ in range(len(rows) if isinstance(rows, list) else 2)]
        yield number, rows, exclude


def scores(server, rows, exclude, errors):
    """All scores of the good rows."""
    if isinstance(server, Retriever):
        return [score for answer in server.recommend(rows, k=2, exclude=exclude, errors=errors) if answer for score in answer.scores]
    found = server.predict(rows, errors=errors)
    bad = {fault.row for fault in errors or ()}
    return [value for values in found.values() for row, value in enumerate(values) if row not in bad]


def attempt(*request):
    """Scores, or the error of a refused request."""
    try:
        return scores(*request), None
    except ValueError as error:
        return None, error


def test_every_request_is_answered_or_refused_by_a_typed_error(bundle):
    retriever, ranker = Retriever(bundle), Ranker(bundle)
    answered = refused = partly = 0
    for number, rows, exclude in requests():
        errors = [] if number % 4 < 2 else None
        found, error = attempt(ranker if number % 2 else retriever, rows, exclude, errors)
        if error is not None:
            assert type(error) in (ValueError, BadRow), rows
            assert errors is None or type(error) is ValueError, rows
            assert len(str(error)) < 2_000
            refused += 1
            continue
        assert all(map(math.isfinite, found)), rows
        assert all(len(str(fault)) < 2_000 for fault in errors or ())
        partly += bool(errors)
        answered += not errors
    assert answered > 500
    assert refused > 500
    assert partly > 500


@pytest.mark.parametrize("field", FIELDS)
def test_long_texts_are_refused_or_answered(bundle, field):
    items = {"item_id": ["a", "b", "c"], "price": [1, 2, 3]}
    for value in (LONG, [LONG], "🛒" * 2_500_000):
        errors = []
        Ranker(bundle).predict([{field: value}], errors=errors)
        Recommender(bundle, items).recommend([{field: value}], errors=errors)
        assert all(len(str(fault)) < 2_000 for fault in errors)
