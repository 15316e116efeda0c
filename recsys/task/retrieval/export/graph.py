"""Towers and retriever as ONNX graphs from raw columns to answers. B rows, V catalogue rows, D dim, E excluded ids, K answers.

user_tower.onnx, item_tower.onnx: raw columns -> `vector` [B, D].
retriever.onnx: raw user columns, `exclude` [B, E] raw item ids (padded like lists, E may be 0), `k` [1]
    -> `items` [B, K] raw item ids, `scores` [B, K], by score descending, then catalogue index ascending.
"""

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper
from torch import Tensor, nn

from recsys.export.graph import check_ready, model_proto, session, static_size, traced_model
from recsys.export.preprocessing import Graph, element_type, label_encoder, raw_array, read_features
from recsys.schema import Feature, Schema

TOWER = "tower/"


def export_tower(
    model: nn.Module,
    tower: Callable[[dict[str, Tensor]], Tensor],
    features: tuple[Feature, ...],
    schema: Schema,
    vocabularies: Mapping[str, pl.Series],
) -> ModelProto:
    """A tower with raw columns in and `vector` [B, D] float32 out.

    Args:
        model: in evaluation mode.
        tower: method of `model` that reads `features` by index.
        vocabularies: {column: raw values by vocabulary index; [0] and [1] are null}.
    Raises:
        IntegrityError: the model is in training mode or not float32, or a vocabulary is not the model's.
    """
    check_ready(model)
    graph = Graph("raw/")
    read_features(graph, features, schema, vocabularies, prefix=TOWER)
    traced = compose.add_prefix(traced_model(model, tower, features, schema, outputs=("vector",)), TOWER)
    graph.nodes += traced.graph.node
    graph.constants += traced.graph.initializer
    graph.add("Identity", f"{TOWER}vector", output="vector")
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", static_size(traced.graph.output[0])])
    return model_proto(graph, [vector])


def export_retriever(user_tower: ModelProto, item_vectors: np.ndarray, item_ids: pl.Series, dtype: str) -> ModelProto:
    """The user tower followed by an exact search of the catalogue.

    No answer holds an id of `exclude`; where fewer than K items are left, the rest is the missing value ("" or the smallest int64) with
    score -inf.

    Args:
        item_vectors: [V, D] float32 by catalogue index; row 0 is padding.
        item_ids: [V] raw ids by catalogue index; [0] is null.
        dtype: raw type of the ids: "string" or "int64".
    """
    graph = Graph("search/")
    graph.inputs += user_tower.graph.input
    graph.nodes += user_tower.graph.node
    graph.constants += user_tower.graph.initializer
    exclude = graph.input("exclude", element_type(dtype), ["batch", "excluded"])
    k = graph.input("k", TensorProto.INT64, [1])
    # [D, V], transposed here: a transposition in the graph would copy the catalogue at every request
    scores = graph.add("MatMul", "vector", graph.constant(np.ascontiguousarray(item_vectors.T, dtype=np.float32)))  # [B, V]
    scores = _without(graph, scores, exclude, raw_array(item_ids, dtype))
    limit = graph.add("Min", k, graph.integer(len(item_ids)))
    best, at = f"{graph.scope}best", f"{graph.scope}at"
    graph.nodes.append(helper.make_node("TopK", [scores, limit], [best, at], name="search/TopK"))  # ties: the lower index first
    widen = graph.add("Concat", graph.integer(0, 0, 0), graph.add("Sub", k, limit), axis=0)
    minus_infinity = graph.constant(np.array(-np.inf, np.float32))
    graph.add("Pad", best, widen, minus_infinity, output="scores")
    at = graph.add("Pad", at, widen, graph.constant(np.array(0, np.int64)))
    at = graph.add("Where", graph.add("Equal", "scores", minus_infinity), graph.integer(0), at)  # row 0 holds the missing id
    graph.add("Gather", graph.constant(raw_array(item_ids, dtype)), at, output="items")
    items = helper.make_tensor_value_info("items", element_type(dtype), ["batch", "answers"])
    return model_proto(graph, [items, helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "answers"])])


def exact_search(item_vectors: np.ndarray, k: int) -> Callable[[np.ndarray], object]:
    """The search of retriever.onnx alone, on one thread: vectors [B, D] float32 -> scores and positions [B, K], to be timed."""
    graph = Graph("search/")
    vector = graph.input("vector", TensorProto.FLOAT, ["batch", item_vectors.shape[1]])
    scores = graph.add("MatMul", vector, graph.constant(np.ascontiguousarray(item_vectors.T, dtype=np.float32)))
    graph.nodes.append(helper.make_node("TopK", [scores, graph.integer(min(k, len(item_vectors)))], ["scores", "at"], name="search/TopK"))
    kinds = {"scores": TensorProto.FLOAT, "at": TensorProto.INT64}
    model = model_proto(graph, [helper.make_tensor_value_info(name, kind, ["batch", "answers"]) for name, kind in kinds.items()])
    run = session(model).run
    return lambda vectors: run(["scores", "at"], {"vector": vectors})


def _without(graph: Graph, scores: str, exclude: str, ids: np.ndarray) -> str:
    """Scores [B, V] with -inf at the padding row 0 and at every excluded id; ids outside the catalogue fall on row 0."""
    at = label_encoder(graph, exclude, ids[1:], np.arange(1, len(ids)), default=0)  # [B, E]
    rows = graph.add("Shape", "vector", start=0, end=1)
    zero = numpy_helper.from_array(np.zeros(1, np.int64))
    padding = graph.add("ConstantOfShape", graph.add("Concat", rows, graph.integer(1), axis=0), value=zero)  # [B, 1]
    at = graph.add("Concat", padding, at, axis=1)  # [B, 1 + E]
    minus_infinity = numpy_helper.from_array(np.array([-np.inf], np.float32))
    updates = graph.add("ConstantOfShape", graph.add("Shape", at), value=minus_infinity)
    return graph.add("ScatterElements", scores, at, updates, axis=1)
