import math

import pytest
import torch

from recsys.metric.regression import METRICS, mean_absolute_error, root_mean_squared_error

PREDICTED, ACTUAL = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([1, 4, 2])


def test_errors_by_hand():
    assert root_mean_squared_error(PREDICTED, ACTUAL) == pytest.approx(math.sqrt((4 + 9) / 3), abs=1e-15)
    assert mean_absolute_error(PREDICTED, ACTUAL) == pytest.approx(5 / 3, abs=1e-15)


def test_no_rows_leave_every_error_undefined():
    assert all(math.isnan(metric.measure(PREDICTED[:0], ACTUAL[:0])) for metric in METRICS)


def test_declared_names_are_those_of_keys():
    assert [(metric.name, metric.measure(PREDICTED, PREDICTED), metric.order) for metric in METRICS] == [("rmse", 0, -1), ("mae", 0, -1)]
