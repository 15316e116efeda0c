"""Embedding tables in int8 rows."""

import numpy as np
import onnxruntime
from onnx import TensorProto

from recsys.export.quantize.int8_tables import Int8Tables, row_scales

INT8 = Int8Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.001, max_rmse_ratio=1.01, max_p50_ratio=1.05)


def run(model, requests):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(["vector", "listed"], requests)


def test_each_row_has_the_scale_of_its_largest_number():
    # 31.75 / 127 = .25: 127, -64, .3 / .25 = 1.2 -> 1.   2.54 / 127 = .02: -127, .03 / .02 = 1.5 -> 1 or 2 by rounding, so .031 -> 2; 1
    integers, scales = row_scales(np.array([[31.75, -16.0, 0.3], [-2.54, 0.031, 0.02]], dtype=np.float32))
    assert integers.tolist() == [[127, -64, 1], [-127, 2, 1]]
    np.testing.assert_allclose(scales, [[0.25], [0.02]], rtol=1e-6)


def test_row_of_zeros_stays_exactly_zero(model):
    requests = {"city": np.array(["nowhere"], dtype=object), "history": np.array([[0, 1]])}
    vector, listed = run(INT8.apply(model), requests)
    assert (vector == 0).all()
    assert (listed[:, 0] == 0).all()
    assert (listed[:, 1] != 0).any()


def test_every_number_is_within_half_a_scale_of_what_it_was(model, table):
    every_row = {"city": np.array(["x"], dtype=object), "history": np.arange(256)[None]}
    listed = run(INT8.apply(model), every_row)[1][0]
    half_scale = np.abs(table).max(1, keepdims=True) / 127 / 2
    assert (np.abs(listed - table) <= half_scale * 1.0001).all()
    assert np.abs(listed - table).max() > 0


def test_strings_are_still_looked_up(model, requests, table):
    vector, listed = run(INT8.apply(model), requests)
    np.testing.assert_allclose(vector, table[[255, 0, 7]], atol=np.abs(table).max() / 250)
    np.testing.assert_allclose(listed, table[[[1, 2], [0, 3], [254, 0]]], atol=np.abs(table).max() / 250)


def test_table_of_two_readers_is_stored_once_in_a_quarter_of_the_size(model):
    narrow = INT8.apply(model)
    assert [(constant.name, constant.data_type) for constant in narrow.graph.initializer] == [
        ("table/int8", TensorProto.INT8),
        ("table/scale", TensorProto.FLOAT),
    ]
    # 64 KiB of numbers become 16 KiB and 1 KiB of scales: 47 KiB less, and less than 1 KiB of nodes more
    assert 46 * 1024 < model.ByteSize() - narrow.ByteSize() < 47 * 1024
