"""Embedding tables in half precision."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from recsys.errors import IntegrityError
from recsys.export.quantize.fp16_tables import Fp16Tables

FP16 = Fp16Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.001, max_rmse_ratio=1.01, max_p50_ratio=1.05)


def listed(model):
    every_row = {"city": np.array(["x"], dtype=object), "history": np.arange(256)[None]}
    return onnxruntime.InferenceSession(model.SerializeToString()).run(["listed"], every_row)[0][0]


def test_every_number_keeps_eleven_bits_and_zeros_stay_zero(model, table):
    got = listed(FP16.apply(model))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, table, rtol=2**-11, atol=3e-8)
    assert (got[0] == 0).all()
    assert (got != table).any()


def test_table_is_half_as_large_and_shared(model):
    narrow = FP16.apply(model)
    assert [constant.data_type for constant in narrow.graph.initializer] == [TensorProto.FLOAT16]
    assert 31 * 1024 < model.ByteSize() - narrow.ByteSize() < 32 * 1024


def test_number_beyond_half_precision_is_refused_with_the_table_named(model, table):
    table[3, 5] = -70_000
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, "table"))
    with pytest.raises(IntegrityError, match=r"holds 70000; half precision ends at 65,504\n.*where: table\n.*quantize=int8_tables"):
        FP16.apply(model)
