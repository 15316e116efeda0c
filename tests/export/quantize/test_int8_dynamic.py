"""Products with constant matrices in int8."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from recsys.export.quantize.int8_dynamic import Int8Dynamic

INT8 = Int8Dynamic(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.001, max_rmse_ratio=1.01, max_p50_ratio=1.05)
GENERATOR = np.random.default_rng(0)
FIRST = GENERATOR.standard_normal((32, 64)).astype(np.float32)  # Gemm, transposed: 64 -> 32
EXPERTS = GENERATOR.standard_normal((3, 32, 16)).astype(np.float32)  # one product per expert
CATALOGUE = GENERATOR.standard_normal((32, 50)).astype(np.float32)


@pytest.fixture
def products(model):
    """`city` -> `hidden` [B, 32] -> `experts` [3, B, 16], and `scores` [B, 50] of the catalogue."""
    graph = model.graph
    del graph.node[2:], graph.input[1:], graph.output[:]
    graph.node.extend(
        [
            helper.make_node("Gemm", ["vector", "first"], ["hidden"], name="tower/linear", transB=1),
            helper.make_node("MatMul", ["hidden", "stack"], ["experts"], name="tower/experts"),
            helper.make_node("MatMul", ["hidden", "catalogue"], ["scores"], name="search/MatMul_7"),
        ]
    )
    constants = {"first": FIRST, "stack": EXPERTS, "catalogue": CATALOGUE}
    graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
    outputs = {"hidden": ["batch", 32], "experts": [3, "batch", 16], "scores": ["batch", 50]}
    graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items())
    onnx.checker.check_model(model, full_check=True)
    return model


def weights(model):
    """{(type, shape)} of the matrices."""
    return {(constant.data_type, tuple(constant.dims)) for constant in model.graph.initializer if len(constant.dims) > 1}


def test_answers_stay_near_from_strings_on(products, table):
    requests = {"city": np.array(["x", "y"], dtype=object)}
    hidden, experts, scores = onnxruntime.InferenceSession(INT8.apply(products).SerializeToString()).run(None, requests)
    want = table[[8, 255]] @ FIRST.T
    np.testing.assert_allclose(hidden, want, atol=0.02 * np.abs(want).max())
    assert (hidden != want).any()
    np.testing.assert_allclose(experts, want @ EXPERTS, atol=0.04 * np.abs(want @ EXPERTS).max())
    np.testing.assert_allclose(scores, hidden @ CATALOGUE, rtol=1e-4, atol=1e-3 * np.abs(scores).max())


def test_products_are_int8_but_the_search_and_tables_are_not(products):
    narrow = INT8.apply(products)
    assert weights(narrow) == {
        (TensorProto.INT8, (64, 32)),
        (TensorProto.INT8, (3, 32, 16)),
        (TensorProto.FLOAT, (32, 50)),
        (TensorProto.FLOAT, (256, 64)),
    }


def test_model_is_left_as_it_is_and_its_metadata_kept(products):
    before = products.SerializeToString(deterministic=True)
    narrow = INT8.apply(products)
    assert products.SerializeToString(deterministic=True) == before
    assert [(entry.key, entry.value) for entry in narrow.metadata_props] == [("schema_sha256", "abc")]
    assert (narrow.ir_version, narrow.producer_name, len(narrow.graph.value_info)) == (10, "recsys", 0)


def test_nothing_is_logged(products, caplog):
    INT8.apply(products)
    assert not caplog.records


def test_graph_whose_only_product_is_the_search_has_nothing_to_narrow(products):
    del products.graph.node[2:4], products.graph.output[:2]
    products.graph.node[2].input[0] = "vector"
    assert INT8.apply(products) is None


def extreme_weights(pattern, inner, columns):
    """[inner, columns] in {-1, 1}: every integer of the quantised matrix is an extreme one."""
    signs = {
        "positive": np.ones((inner, columns)),
        "negative": -np.ones((inner, columns)),
        "columns": np.where(np.arange(columns) % 2, 1.0, -1.0) * np.ones((inner, 1)),
        "random": np.sign(np.random.default_rng(1).standard_normal((inner, columns))),
    }
    return signs[pattern].astype(np.float32)


def quantised_product(values):
    """The graph of x @ values, quantised."""
    shape = values.shape[:-2]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"], name="tower/product")],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", values.shape[-2]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [*shape, "batch", values.shape[-1]])],
        [numpy_helper.from_array(values, "weights")],
    )
    return INT8.apply(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))


def integer_product(narrow, x):
    """Exact integers [..., B, N] that the graph should reach, and the scale that makes numbers of them.

    DynamicQuantizeLinear by its definition: 255 levels over the range of x widened to hold 0, rounded half to even.
    """
    constants = {constant.name: numpy_helper.to_array(constant) for constant in narrow.graph.initializer}
    low, high = min(x.min(), 0), max(x.max(), 0)
    scale = np.float32((high - low) / np.float32(255))
    zero = np.clip(np.rint(-low / scale), 0, 255).astype(np.int64)
    levels = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.int64)
    weights = constants["weights_quantized"].astype(np.int64)
    assert (constants["weights_zero_point"] == 0).all()
    assert np.abs(weights).max() == 64  # 2 * 255 * 64 < 2^15: no pair of products saturates on any processor
    return (levels - zero) @ weights, scale * constants["weights_scale"]


@pytest.mark.parametrize("pattern", ["positive", "negative", "columns", "random"])
@pytest.mark.parametrize("low", [0.0, -1.0, -0.5])  # zero is level 0, 255 or 85
@pytest.mark.parametrize(("batch", "inner", "columns", "stack"), [(1, 64, 32, ()), (1, 65, 33, ()), (9, 130, 17, ()), (5, 64, 16, (3,))])
def test_extreme_weights_and_activations_give_the_exact_integers(pattern, low, batch, inner, columns, stack):
    values = np.broadcast_to(extreme_weights(pattern, inner, columns), (*stack, inner, columns))
    narrow = quantised_product(np.ascontiguousarray(values))
    session = onnxruntime.InferenceSession(narrow.SerializeToString())
    extremes = np.float32([low, low + 1])
    for x in (np.full((batch, inner), extremes[1]), np.full((batch, inner), extremes[0]), extremes[np.indices((batch, inner)).sum(0) % 2]):
        x[0, :2] = extremes  # the range of the whole batch
        want, scale = integer_product(narrow, x)
        (got,) = session.run(None, {"x": x})
        np.testing.assert_array_equal(np.rint(got.astype(np.float64) / scale), want)  # below 2^24: float32 holds each integer
