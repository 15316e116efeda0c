"""A bad row as an exception."""

import pickle

import pytest

from recsys.serve.fields import BadRow, value_text


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (BadRow(3, "age", "'x' (str)", "a finite number"), "row 3, 'age': got 'x' (str); want a finite number"),
        (BadRow(3, "agee", "a field 'agee'", "one of ['age']", True), "row 3: got a field 'agee'; want one of ['age']"),
        (BadRow(-1, "age", "'x' (str)", "a finite number"), "user, 'age': got 'x' (str); want a finite number"),
    ],
)
def test_text_names_row_field_got_and_want(fault, text):
    assert str(fault) == text


def test_it_travels_between_processes():
    fault = pickle.loads(pickle.dumps(BadRow(3, "age", "'x' (str)", "a finite number")))
    assert (fault.row, fault.field, str(fault)) == (3, "age", "row 3, 'age': got 'x' (str); want a finite number")


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [10**5_000, nested(100_000)], ids=["digits", "nested"])
def test_value_without_a_text_is_still_shown(value):
    assert value_text(value) == f"a value that cannot be shown ({type(value).__name__})"


@pytest.mark.parametrize("value", ["x" * 10_000_000, b"x" * 10_000_000, list(range(1_000))], ids=["text", "bytes", "list"])
def test_long_value_is_cut(value):
    assert len(value_text(value)) < 80
