import hashlib

import numpy as np
import polars as pl
import pytest
from sklearn.utils import murmurhash3_32

from recsys.errors import DataError
from recsys.schema.vocabulary import Vocabulary, canonical, hash_index, look_up


def test_values_stand_by_count_then_value():
    known = Vocabulary.fit(pl.Series(["b", "c", "a", "b", None, "c", "z"]), rows=None, min_count=1)
    assert known.values.to_list() == [None, None, "b", "c", "a", "z"]
    assert known.counts.to_list() == [0, 1, 2, 2, 1, 1]  # the missing value counts as unknown


def test_rare_values_are_unknown():
    known = Vocabulary.fit(pl.Series([7, 7, 8, 9]), rows=None, min_count=2)
    assert known.values.to_list() == [None, None, 7]
    assert known.counts.to_list() == [0, 2, 2]


def test_rows_weigh_values_and_leave_out_what_stands_for_none():
    known = Vocabulary.fit(pl.Series(["a", "b", "c", "b"]), rows=pl.Series([4, 2, 0, 3]), min_count=0)
    assert known.values.to_list() == [None, None, "b", "a"]
    assert known.counts.to_list() == [0, 0, 5, 4]


def test_index_of_known_unknown_and_missing_values():
    known = Vocabulary.fit(pl.Series([30, 10, 30]), rows=None, min_count=1)
    index = known.index(pl.Series([10, 30, 99, None]))
    assert index.tolist() == [3, 2, 1, 1]
    assert index.dtype == np.int32


def test_text_among_numbers_is_unknown():
    assert Vocabulary.fit(pl.Series([1, 2]), rows=None, min_count=1).index(pl.Series(["1"])).tolist() == [1]


def test_look_up_is_the_same_in_chunks(monkeypatch):
    monkeypatch.setattr("recsys.schema.vocabulary.CHUNK_ROWS", 2)
    keys, index = pl.Series(["x", "y"]), np.array([5, 6], dtype=np.int32)
    assert look_up(pl.Series(["y", "x", None, "y", "q"]), keys, index).tolist() == [6, 5, 1, 6, 1]


def test_composed_and_decomposed_accents_are_two_values():
    known = Vocabulary.fit(pl.Series(["caf\u00e9"]), rows=None, min_count=1)
    assert known.index(pl.Series(["caf\u00e9", "cafe\u0301"])).tolist() == [2, 1]


def test_strings_hash_as_scikit_learn_hashes_their_utf8():
    values = ["hello", "", "Grüße 🙂"]
    expected = [2 + murmurhash3_32(value.encode(), seed=0, positive=True) % 10 for value in values]
    assert hash_index(pl.Series([*values, None]), 10).tolist() == [*expected, 1]


def test_integers_hash_as_scikit_learn_hashes_their_eight_bytes():
    values = [0, 1, -5, 2**40]
    expected = [2 + murmurhash3_32(value.to_bytes(8, "little", signed=True), seed=0, positive=True) % 1000 for value in values]
    assert hash_index(pl.Series(values), 1000).tolist() == expected


def test_saved_vocabulary_returns_with_the_hash_of_its_file(tmp_path):
    known = Vocabulary.fit(pl.Series(["a", "b", "a"]), rows=None, min_count=1)
    sha256 = known.save(tmp_path / "v.parquet")
    assert sha256 == hashlib.sha256((tmp_path / "v.parquet").read_bytes()).hexdigest()
    again = Vocabulary.load(tmp_path / "v.parquet")
    assert again.values.to_list() == known.values.to_list()
    assert again.counts.to_list() == known.counts.to_list()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1, 2], dtype=pl.UInt8), [1, 2]),
        (pl.Series([True, None]), [1, None]),
        (pl.Series(["x"], dtype=pl.Categorical), ["x"]),
    ],
)
def test_categories_become_int64_or_string(values, expected):
    assert canonical(values).dtype in (pl.Int64, pl.String)
    assert canonical(values).to_list() == expected


def test_what_a_served_request_calls_missing_is_missing_in_training():
    assert canonical(pl.Series(["a", "", None])).to_list() == ["a", None, None]
    assert canonical(pl.Series([7, -(2**63), None])).to_list() == [7, None, None]


def test_other_types_are_no_categories():
    with pytest.raises(DataError, match=r"Float64 is no category[\s\S]*column 'price'[\s\S]*data.source.types.price"):
        canonical(pl.Series("price", [1.5]))
