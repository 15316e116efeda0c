"""What every index does before it learns."""

import sys

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.export.index.base import grouped
from recsys.export.index.hnsw import HNSW

SOUND = {"m": 8, "ef_construction": 40, "ef_search": [10, 20], "k": 10, "min_recall": 0.9, "seed": 0}


def test_positions_of_equal_vectors_stand_together():
    a, b = [1.0, 2.0], [0.0, 3.0]
    positions, starts = grouped(np.array([[0, 0], a, b, a, [-0.0, 3.0]], np.float32))  # -0 is 0
    assert positions.tolist() == [1, 3, 2, 4]
    assert starts.tolist() == [0, 2, 4]


def test_positions_of_one_vector_rise():
    vectors = np.tile(np.array([[0.0], [1.0]], np.float32), (500, 1))  # rows 1, 3, 5, ... hold 1
    positions, starts = grouped(vectors)
    assert positions.tolist() == [*range(1, 1000, 2), *range(2, 1000, 2)]
    assert starts.tolist() == [0, 500, 999]


def test_item_with_the_vector_of_the_padding_is_kept():
    positions, starts = grouped(np.zeros((3, 2), np.float32))
    assert (positions.tolist(), starts.tolist()) == ([1, 2], [0, 2])


def test_empty_catalogue_is_refused():
    with pytest.raises(DataError, match="the catalogue has no items"):
        HNSW(**SOUND).build(np.zeros((1, 4), np.float32))


def test_vector_that_is_not_finite_is_named_by_its_row():
    vectors = np.ones((5, 2), np.float32)
    vectors[3, 1] = np.nan
    vectors[4, 0] = np.inf
    with pytest.raises(DataError, match=r"2 item vectors are not finite, the first of catalogue row 3"):
        HNSW(**SOUND).build(vectors)


@pytest.mark.parametrize("settings", [[], [0, 5], [20, 10], [10, 10]])
def test_settings_that_do_not_rise_are_refused(settings):
    with pytest.raises(ValueError, match=r"ef_search[.0-9]* is (.|\n)*(not empty|at least 1|rising)"):
        HNSW(**SOUND | {"ef_search": settings})


@pytest.mark.parametrize("wrong", [{"k": 0}, {"min_recall": 0.0}, {"min_recall": 1.1}])
def test_k_and_recall_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"(k|min_recall) is"):
        HNSW(**SOUND | wrong)


def test_without_faiss_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"pip install faiss-cpu") as caught:
        HNSW(**SOUND)
    assert len(caught.value.faults) == 1
