"""One raw value of each kind to the array that a graph reads."""

import datetime
import pickle

import numpy as np
import pytest

from recsys.serve.fields import BadRow, Value, request_fields, value_text
from recsys.serve.kinds import moment
from recsys.serve.requests import Columns, read

NONE = -(2**63)
SCHEMA = {
    "features": [
        {"kind": "Categorical", "column": "name", "entity": "user"},
        {"kind": "Categorical", "column": "number", "entity": "user"},
        {"kind": "Categorical", "column": "flag", "entity": "user"},
        {"kind": "Numeric", "column": "age", "entity": "user"},
        {"kind": "Timestamp", "column": "joined", "entity": "user"},
        {"kind": "Vector", "column": "taste", "entity": "user"},
        {"kind": "MultiCategorical", "column": "tags", "entity": "user", "max_len": 2},
        {"kind": "History", "column": "history", "entity": "user", "of": "item_id", "max_len": 2},
        {"kind": "Categorical", "column": "item_id", "entity": "item"},
    ],
    "statistics": {
        "name": {"dtype": "string"},
        "number": {"dtype": "int64"},
        "flag": {"dtype": "bool"},
        "age": {"dtype": "int64"},
        "taste": {"dtype": "float32", "size": 2},
        "tags": {"dtype": "string"},
        "item_id": {"dtype": "int64"},
    },
}
FIELDS = request_fields(SCHEMA, "user")
MOMENT = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def array_of(column, values):
    """The array of a column; the first bad row is raised."""
    bad = []
    array = FIELDS[column].array(values, bad)
    if bad:
        raise bad[0]
    return array


def test_only_user_features_are_fields():
    assert "item_id" not in FIELDS


@pytest.mark.parametrize(
    ("column", "values", "array"),
    [
        ("name", ["a", np.str_("b"), None, float("nan")], ["a", "b", "", ""]),
        ("number", [3, np.int32(4), None, np.float64("nan")], [3, 4, NONE, NONE]),
        ("flag", [True, np.bool_(False), 1, None], [1, 0, 1, NONE]),
        ("joined", [86_400, MOMENT, MOMENT.replace(tzinfo=None), np.datetime64("1970-01-02"), None], [86_400] * 4 + [NONE]),
        ("joined", [np.datetime64("NaT"), MOMENT - datetime.timedelta(days=1, microseconds=1)], [NONE, -1]),
        ("joined", ["1970-01-02", "1970-01-02T00:00:00", "1970-01-02 01:00:00+01:00", "1970-01-01T19:00:00.5-05:00"], [86_400] * 4),
        ("joined", ["1970-01-02T00:00:00Z", "1969-12-31T23:59:59.5Z"], [86_400, -1]),
        ("age", [7, 2.5, np.float32(1), True, None], [7, 2.5, 1, 1, np.nan]),
        ("taste", [[1, 2.0], np.array([3, 4]), None], [[1, 2], [3, 4], [0, 0]]),
        ("tags", [["a", None, "b", "c"], (), None], [["a", "b"], ["", ""], ["", ""]]),
        ("history", [[1, 2, 3], np.array([4]), None, [None, 5]], [[2, 3], [4, NONE], [NONE, NONE], [NONE, 5]]),
        ("history", [None], [[NONE]]),
    ],
)
def test_values_become_the_array_that_the_graph_reads(column, values, array):
    np.testing.assert_array_equal(array_of(column, values), np.array(array))


@pytest.mark.parametrize(
    ("column", "values", "array"),
    [
        ("number", np.array([3, -4], np.int8), [3, -4]),
        ("number", np.array([3, 2**63 - 1], np.uint64), [3, 2**63 - 1]),
        ("flag", np.array([True, False]), [1, 0]),
        ("age", np.array([1.5, np.nan], np.float16), [1.5, np.nan]),
        ("joined", np.array(["1970-01-02T00:00:00.9", "NaT"], "datetime64[ns]"), [86_400, NONE]),
        ("taste", np.array([[1.0, 2.0], [3.0, 4.0]]), [[1, 2], [3, 4]]),
        ("name", np.array(["a", "bc"]), ["a", "bc"]),
    ],
)
def test_numpy_columns_become_the_array_that_the_graph_reads(column, values, array):
    np.testing.assert_array_equal(array_of(column, values), np.array(array))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("number", np.array([1, 2**63], np.uint64)),
        ("number", np.array([None, True], object)),
        ("number", np.array(["NaT", 2], "timedelta64[s]")),
        ("number", [1, np.array([2])]),
        ("age", np.array([1, np.inf])),
        ("flag", np.array([1, 2])),
        ("name", np.array(["a", "\ud800"])),
        ("tags", [["a"], np.array(["a", "\ud800"])]),
        ("taste", np.array([[1.0, 2.0], [3.0, np.nan]])),
    ],
)
def test_numpy_column_with_a_bad_value_is_refused(column, values):
    with pytest.raises(ValueError, match=f"row 1, '{column}': got"):
        array_of(column, values)


def test_arrays_have_the_types_of_the_graph_inputs():
    integers, texts, numbers = ["number", "flag", "joined", "history"], ["name", "tags"], ["age", "taste"]
    assert {array_of(column, [None]).dtype for column in integers} == {np.dtype(np.int64)}
    assert {array_of(column, [None]).dtype for column in texts} == {np.dtype(object)}
    assert {array_of(column, [None]).dtype for column in numbers} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("column", "value", "want"),
    [
        ("name", 7, "a string"),
        ("name", b"a", "a string"),
        ("number", "7", "an integer of 64 bits"),
        ("number", 7.0, "an integer of 64 bits"),
        ("number", True, "an integer of 64 bits"),
        ("number", 2**63, "an integer of 64 bits"),
        ("flag", 2, "true or false"),
        ("age", "old", "a finite number"),
        ("age", float("inf"), "a finite number"),
        ("age", 10**400, "a finite number"),
        ("joined", "19700102", "a datetime, text as of ISO 8601"),
        ("joined", "1970-13-02", "a datetime, text as of ISO 8601"),
        ("joined", "today", "a datetime, text as of ISO 8601, or an integer of seconds since 1970 UTC"),
        ("taste", [1.0], "2 finite numbers"),
        ("taste", [1.0, None], "2 finite numbers"),
        ("taste", 1.0, "a list"),
        ("tags", {"a"}, "a list"),
        ("history", [[1]], "an integer of 64 bits"),
    ],
)
def test_value_of_another_type_is_refused_with_row_field_got_and_want(column, value, want):
    with pytest.raises(ValueError, match=f"row 1, '{column}': got .*; want {want}"):
        array_of(column, [None, value])


def test_long_value_is_cut_in_the_message():
    with pytest.raises(ValueError, match=r"got 'x{56}\.\.\. \(str\)"):
        array_of("number", ["x" * 10_000_000])


def test_histories_of_different_lengths_are_refused():
    columns = {"items": [[1], [1, 2]], "brands": [[7], None]}
    with pytest.raises(ValueError, match=r"row 1: got histories of different lengths: \{'items': 2, 'brands': 0\}"):
        read(Columns(columns, 2, []), {}, ["items", "brands"], None)


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


@pytest.mark.parametrize(("value", "want"), [(-0.5, "a number of at least 0"), (10.5, "a number of at most 10")])
def test_number_that_training_refuses_is_refused(value, want):
    features = [{"kind": "Numeric", "column": "age", "entity": "user", "low": 0.0, "high": 10.0}]
    field = request_fields({"features": features, "statistics": {"age": {"dtype": "float32"}}}, "user")["age"]
    bad = []
    assert field.array([1.0, value, None, 0, 10.0], bad).tolist() == pytest.approx([1, np.nan, np.nan, 0, 10], nan_ok=True)
    assert [(fault.row, fault.field, fault.got) for fault in bad] == [(1, "age", f"{value} (float)")]
    assert bad[0].want.startswith(want)


def test_limit_counts_as_the_float32_that_training_compares():
    """0.1 as a float32 is a little more than as a float64, and the limit itself is no fault."""
    features = [{"kind": "Numeric", "column": "age", "entity": "user", "low": None, "high": 0.1}]
    field = request_fields({"features": features, "statistics": {"age": {"dtype": "float32"}}}, "user")["age"]
    bad = []
    field.array([0.1, float(np.float32(0.1))], bad)
    assert bad == []


@pytest.mark.parametrize(
    ("unit", "want"),
    [("", 86_400), ("ms", 86_400_000), ("ns", 86_400_000_000_000), ("YYYYMMDD", 19_700_102), ("YYYYMMDDHHMMSS", 19_700_102_000_000)],
)
def test_moment_is_an_integer_of_the_unit_of_training(unit, want):
    bad: list[BadRow] = []
    field = Value("joined", moment(unit))
    assert field.array([MOMENT, np.datetime64("1970-01-02"), want, None], bad).tolist() == [want, want, want, NONE]
    assert not bad
