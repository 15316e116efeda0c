"""Which matrices count as tables."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from recsys.export.quantize.fp16_tables import Fp16Tables

FP16 = Fp16Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.001, max_rmse_ratio=1.01, max_p50_ratio=1.05)


def types(model):
    return {constant.name: constant.data_type for constant in model.graph.initializer}


def test_matrix_that_a_product_reads_too_stays_as_it_is(model):
    model.graph.node.append(helper.make_node("MatMul", ["listed", "table_T"], ["scores"]))
    model.graph.node.insert(0, helper.make_node("Transpose", ["table"], ["table_T"]))
    assert FP16.apply(model) is None


def test_matrix_that_is_an_answer_too_stays_as_it_is(model):
    model.graph.output.append(helper.make_tensor_value_info("table", TensorProto.FLOAT, [256, 64]))
    assert FP16.apply(model) is None


def test_matrix_read_by_columns_stays_as_it_is(model):
    model.graph.node[2].attribute[0].i = 1
    assert FP16.apply(model) is None


def test_matrix_below_64_kib_stays_as_it_is(model, table):
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(table[:255], "table"))
    assert FP16.apply(model) is None


def test_integers_that_are_read_by_row_stay_as_they_are(model):
    ids = numpy_helper.from_array(np.arange(10_000, dtype=np.int64), "ids")
    model.graph.initializer.append(ids)
    model.graph.node.append(helper.make_node("Gather", ["ids", "index"], ["id"]))
    assert types(FP16.apply(model)) == {"table/half": TensorProto.FLOAT16, "ids": TensorProto.INT64}
