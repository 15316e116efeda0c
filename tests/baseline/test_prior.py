import numpy as np
import pytest

from recsys.baseline.base import FeatureTable, LabelledTable
from recsys.baseline.prior import Prior

TABLE = FeatureTable(np.zeros((4, 0), np.float32), np.zeros((4, 1), np.int64), (3,))


@pytest.mark.parametrize(("label", "binary", "mean"), [([1, 0, 0, 0], True, 0.25), ([0, 0, 0, 0], True, 0.0), ([2, 4, 9, 1], False, 4.0)])
def test_every_row_gets_the_mean_of_training(label, binary, mean):
    baseline = Prior()
    rows = LabelledTable(TABLE, np.array(label, dtype=np.float64))
    baseline.fit(rows, rows, binary=binary)
    assert baseline.predict(TABLE.rows(np.array([True, False, True, False]))).tolist() == [mean, mean]
