"""What shows once rows are split: hand-made arrays of a few rows."""

import numpy as np
import polars as pl
import pytest

from recsys.data.check.findings import Findings
from recsys.data.check.split_faults import dominant_note, duplicate_findings, unknown_findings, vocabulary_notes
from recsys.schema import Categorical, MultiCategorical, Numeric, Schema, Statistics


def test_unknown_share_is_a_note_and_above_the_limit_a_fault():
    found = unknown_findings("item_id", {"validation": (2, 10), "test": (3, 10)}, 0.2)
    assert found.notes == ("2 of 10 validation rows (20.0%) have a 'item_id' that training never saw",)
    (fault,) = found.faults
    assert fault.what == "3 of 10 test rows (30.0%) have a 'item_id' that training never saw"
    assert fault.where == "interactions, column 'item_id'"
    assert "raise data.max_unknown_share=0.2" in fault.remedy


def test_only_unknown_ids_are_a_fault():
    (fault,) = unknown_findings("user_id", {"validation": (0, 10), "test": (10, 10)}, 0.2).faults
    assert fault.what == "training never saw the 'user_id' of any of the 10 test rows"
    assert fault.where == "interactions, column 'user_id'"
    assert fault.remedy == "move the cut with data.split, or check that the files belong together"


def test_empty_split_is_no_fault_of_unknown_ids():
    assert unknown_findings("user_id", {"test": (0, 0)}, 0.2) == Findings()


@pytest.fixture
def rows() -> dict[str, np.ndarray]:
    """Rows 0, 2 and 5 are one event, rows 3 and 4 another; row 1 differs from row 0 in time alone, row 6 in user alone."""
    return {
        "user": np.array([1, 1, 1, 2, 2, 1, 3], dtype=np.int32),
        "item": np.array([7, 7, 7, 8, 8, 7, 7], dtype=np.int32),
        "time": np.array([-5, 6, -5, 9, 9, -5, -5], dtype=np.int64),
    }


def test_repeats_are_counted(rows: dict[str, np.ndarray]):
    found = duplicate_findings(**rows, split=np.zeros(7, dtype=np.uint8))
    # Three rows of one event are two repeats, two of another are one.
    assert found == Findings(notes=("3 of 7 interactions repeat the user, item and time of another",))


def test_repeats_across_splits_are_a_fault(rows: dict[str, np.ndarray]):
    (fault,) = duplicate_findings(**rows, split=np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)).faults
    assert fault.what == "1 times the same user, item and time stand in two splits: training holds what the test asks"
    assert fault.where == "interactions, rows 0, 2, 5"
    assert fault.remedy.startswith("drop repeats with unique(subset=[user, item, time])")


def test_no_repeat_says_nothing(rows: dict[str, np.ndarray]):
    first = {name: values[[0, 1, 3, 6]] for name, values in rows.items()}
    assert duplicate_findings(**first, split=np.array([0, 1, 2, 0])) == Findings()


def test_repeats_agree_with_polars_on_random_rows():
    random = np.random.default_rng(0)
    user, item, time = (random.integers(0, 30, 5_000) for _ in range(3))
    repeats = 5_000 - pl.DataFrame({"u": user, "i": item, "t": time}).unique().height
    (note,) = duplicate_findings(user, item, time, np.zeros(5_000, dtype=np.uint8)).notes
    assert note.startswith(f"{repeats:,} of 5,000 interactions")


def test_user_with_more_than_half_of_all_rows_is_named():
    ids = pl.Series([None, "ann", "bot"])
    assert dominant_note(np.array([0, 5, 5]), ids, "user_id") is None
    assert dominant_note(np.array([0, 5, 6]), ids, "user_id") == ("user_id 'bot' has 6 of 11 rows (54.5%): a robot or a placeholder?")


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
