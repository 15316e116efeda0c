import numpy as np
import pytest

from recsys.data.store.ranking import stable_order


@pytest.mark.parametrize("sorted_by_time", [False, True])
def test_order_equals_numpy_lexsort_with_ties(sorted_by_time):
    random = np.random.default_rng(0)
    group, time = random.integers(0, 5, 200).astype(np.int32), random.integers(0, 10, 200)
    time = np.sort(time) if sorted_by_time else time
    assert np.array_equal(stable_order(group, time), np.lexsort((time, group)))


def test_order_of_nothing_is_empty():
    assert stable_order(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)).tolist() == []
