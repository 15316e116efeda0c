"""What shows once rows are split: hand-made arrays of a few rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recsys.data.check.split_faults import check_parts, check_rows, dominant_user, repeated_rows, unknown_ids, vocabulary_notes
from recsys.data.split import Assignment, LeaveOneOut
from recsys.data.store.interactions import KeyColumns
from recsys.errors import DataError, Fault
from recsys.schema import Categorical, MultiCategorical, Numeric, Schema, Statistics


def test_parts_without_positives_or_rows_are_named_together():
    assignment = Assignment(np.array([0, 0, 2]))
    with pytest.raises(DataError, match=r"(?s)no validation rows.*none of the 1 test rows is positive.*data.split"):
        check_parts(assignment, np.array([True, True, False]), LeaveOneOut())
    check_parts(Assignment(np.array([0, 1, 2])), np.ones(3, dtype=bool), LeaveOneOut())


def unknown(limit: float, **new: tuple[int, int]) -> list[Fault | str]:
    """Findings on parts of {part: (rows with an unknown id, all rows)}, after one row of training; id 1 is known, id 2 unknown."""
    codes, split = [1], [0]
    for code, name in enumerate(("validation", "test"), 1):
        rows, total = new.get(name, (0, 0))
        codes += [2] * rows + [1] * (total - rows)
        split += [code] * total
    return list(unknown_ids("item_id", np.array(codes), np.array(split), limit))


def test_unknown_share_is_a_note_and_above_the_limit_a_fault():
    note, fault = unknown(0.2, validation=(2, 10), test=(3, 10))
    assert note == "2 of 10 validation rows (20.0%) have a 'item_id' that training never saw"
    assert fault.what == "3 of 10 test rows (30.0%) have a 'item_id' that training never saw"
    assert fault.where == "interactions, column 'item_id'"
    assert "raise data.max_unknown_share=0.2" in fault.remedy


def test_only_unknown_ids_are_a_fault():
    (fault,) = unknown(1.0, validation=(0, 10), test=(10, 10))
    assert fault.what == "training never saw the 'item_id' of any of the 10 test rows"
    assert fault.where == "interactions, column 'item_id'"
    assert "data.split" in fault.remedy


def test_empty_split_is_no_fault_of_unknown_ids():
    assert unknown(0.2) == []


@pytest.fixture
def rows() -> dict[str, np.ndarray]:
    """Rows 0, 2 and 5 are one event, rows 3 and 4 another; row 1 differs from row 0 in time alone, row 6 in user alone."""
    return {
        "user": np.array([1, 1, 1, 2, 2, 1, 3], dtype=np.int32),
        "item": np.array([7, 7, 7, 8, 8, 7, 7], dtype=np.int32),
        "time": np.array([-5, 6, -5, 9, 9, -5, -5], dtype=np.int64),
    }


def test_repeats_are_counted(rows: dict[str, np.ndarray]):
    # Three rows of one event are two repeats, two of another are one.
    (note,) = repeated_rows(**rows, split=np.zeros(7, dtype=np.uint8))
    assert note == "3 of 7 interactions repeat the user, item and time of another"


def test_repeats_across_splits_are_a_fault(rows: dict[str, np.ndarray]):
    note, fault = repeated_rows(**rows, split=np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8))
    assert note.startswith("3 of 7 interactions")
    assert fault.what == "1 times the same user, item and time stand in two splits: training holds what the test asks"
    assert fault.where == "interactions, rows 0, 2, 5"
    assert fault.remedy.startswith("drop repeats with unique(subset=[user, item, time])")


def test_no_repeat_says_nothing(rows: dict[str, np.ndarray]):
    first = {name: values[[0, 1, 3, 6]] for name, values in rows.items()}
    assert list(repeated_rows(**first, split=np.array([0, 1, 2, 0]))) == []


def test_repeats_agree_with_polars_on_random_rows():
    random = np.random.default_rng(0)
    user, item, time = (random.integers(0, 30, 5_000) for _ in range(3))
    repeats = 5_000 - pl.DataFrame({"u": user, "i": item, "t": time}).unique().height
    (note,) = repeated_rows(user, item, time, np.zeros(5_000, dtype=np.uint8))
    assert note.startswith(f"{repeats:,} of 5,000 interactions")


def test_user_with_more_than_half_of_all_rows_is_named():
    ids = pl.Series(["ann", "bot"])
    assert list(dominant_user(np.repeat([1, 2], 5), ids, "user_id")) == []
    assert list(dominant_user(np.repeat([1, 2], [5, 6]), ids, "user_id")) == [
        "user_id 'bot' has 6 of 11 rows (54.5%): a robot or a placeholder?"
    ]


def test_faults_of_all_kinds_come_together_and_notes_alone_are_handed_back(rows: dict[str, np.ndarray]):
    schema, ids = Schema("user_id", "item_id", "time"), pl.Series(["ann", "bob", "cid"])
    sound = KeyColumns(**rows, split=np.zeros(7, dtype=np.uint8), positive=np.ones(7, dtype=bool))
    notes = check_rows(sound, schema, ids, max_unknown_share=0.2)
    assert [note.split()[0] for note in notes] == ["3", "user_id"]  # repeats, and ann's 4 of 7 rows
    torn = replace(sound, split=np.array([0, 0, 2, 2, 2, 2, 2], dtype=np.uint8))
    with pytest.raises(DataError) as raised:
        check_rows(torn, schema, ids, max_unknown_share=0.2)
    assert [fault.what.split("'")[1] if "'" in fault.what else fault.what[:7] for fault in raised.value.faults] == [
        "user_id",
        "item_id",
        "1 times",
    ]


def test_vocabulary_of_one_value_is_mentioned():
    features = (
        Categorical("brand", "item"),
        Categorical("city", "user"),
        Categorical("query", "context", buckets=1),
        MultiCategorical("tags", "item"),
        Numeric("price", "item"),
    )
    sizes = {"brand": 3, "city": 4, "query": 3, "tags": 2, "price": 0}
    fitted = Schema("u", "i", features=features).fitted({column: Statistics("string", size=size) for column, size in sizes.items()})
    assert vocabulary_notes(fitted) == (
        "feature 'brand' knows one value only in training: it tells a model nothing",
        "feature 'tags' knows no value in training: it tells a model nothing",
    )
