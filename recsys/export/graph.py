"""Towers and retriever as ONNX graphs from raw columns to answers. B rows, V catalogue rows, D dim, E excluded ids, K answers.

user_tower.onnx, item_tower.onnx: raw columns -> `vector` [B, D].
retriever.onnx: raw user columns, `exclude` [B, E] raw item ids (padded like lists, E may be 0), `k` [1]
    -> `items` [B, K] raw item ids, `scores` [B, K], by score descending, then catalogue index ascending.
"""

import logging
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnxruntime
import polars as pl
import torch
from onnx import ModelProto, TensorProto, compose, helper, numpy_helper
from torch import Tensor, nn

from recsys.errors import Fault, IntegrityError
from recsys.export.preprocessing import Graph, element_type, label_encoder, raw_array, read_features
from recsys.schema import Feature, Schema

OPSET = 20
"""ai.onnx operators; Equal on strings needs 19."""
OPSETS = {"": OPSET, "ai.onnx.ml": 3, "com.microsoft": 1}
IR_VERSION = 10
MAX_BYTES = 2**31 - 1
"""A protobuf message, so an ONNX file without external data, ends below 2 GiB."""
TOWER = "tower/"
Outputs = Tensor | tuple[Tensor, ...]


def export_tower(
    model: nn.Module,
    tower: Callable[[dict[str, Tensor]], Tensor],
    features: tuple[Feature, ...],
    schema: Schema,
    vocabularies: Mapping[str, pl.Series],
) -> ModelProto:
    """A tower with raw columns in and `vector` [B, D] float32 out.

    Args:
        model: module that owns the weights, in evaluation mode.
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
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", _static_size(traced.graph.output[0])])
    return model_proto(graph, [vector])


def export_retriever(user_tower: ModelProto, item_vectors: np.ndarray, item_ids: pl.Series, dtype: str) -> ModelProto:
    """The user tower followed by an exact search of the catalogue.

    Args:
        user_tower: from `export_tower`.
        item_vectors: [V, D] float32 by catalogue index; row 0 is padding.
        item_ids: [V] raw ids by catalogue index; [0] is null. No answer holds an id of `exclude`; where fewer than K items are
            left, the rest is the missing value ("" or the smallest int64) with score -inf.
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
    """The search of retriever.onnx alone, on one thread: vectors [B, D] float32 -> scores and positions [B, K], to be timed.

    Args:
        item_vectors: [V, D] float32 by catalogue index.
    """
    graph = Graph("search/")
    asked = graph.input("vector", TensorProto.FLOAT, ["batch", item_vectors.shape[1]])
    scores = graph.add("MatMul", asked, graph.constant(np.ascontiguousarray(item_vectors.T, dtype=np.float32)))
    graph.nodes.append(helper.make_node("TopK", [scores, graph.integer(min(k, len(item_vectors)))], ["scores", "at"], name="search/TopK"))
    kinds = {"scores": TensorProto.FLOAT, "at": TensorProto.INT64}
    model = model_proto(graph, [helper.make_tensor_value_info(name, kind, ["batch", "answers"]) for name, kind in kinds.items()])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    run = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run
    return lambda vectors: run(["scores", "at"], {"vector": vectors})


def describe(model: ModelProto, **facts: str) -> None:
    """Write facts (hashes of schema and vocabularies) into the file's metadata."""
    helper.set_model_props(model, facts)


def check(name: str, model: ModelProto) -> None:
    """onnx.checker in full, below 2 GiB, and float32 throughout.

    Raises:
        IntegrityError: names the file and the node.
    """
    size = model.ByteSize()
    if size > MAX_BYTES:
        remedy = "use hash buckets for the largest vocabulary, a smaller dim, or search item_embeddings.parquet outside the graph"
        raise IntegrityError(Fault(f"the graph would take {size:,} bytes; one ONNX file holds {MAX_BYTES:,}", name, remedy))
    narrow = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    casts = [node.name for node in model.graph.node if node.op_type == "Cast" and helper.get_node_attr_value(node, "to") in narrow]
    weights = [constant.name for constant in model.graph.initializer if constant.data_type in narrow]
    if casts or weights:
        raise IntegrityError(Fault(f"half-precision values in {', '.join(casts + weights)}", name, "export in float32: call model.float()"))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise IntegrityError(Fault(f"onnx.checker refuses the graph: {error}", name, "change the layer that makes this node")) from error


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


class _Positional(nn.Module):
    """A function of one positional argument per column: torch.onnx would call the entries of a dict `features_<column>`."""

    def __init__(self, model: nn.Module, function: Callable[[dict[str, Tensor]], Outputs], columns: list[str]):
        super().__init__()
        self.model, self.function, self.columns = model, function, columns
        self.eval()

    def forward(self, *values: Tensor) -> Outputs:
        return self.function(dict(zip(self.columns, values, strict=True)))


def traced_model(
    model: nn.Module,
    function: Callable[[dict[str, Tensor]], Outputs],
    features: tuple[Feature, ...],
    schema: Schema,
    *,
    outputs: tuple[str, ...],
) -> ModelProto:
    """A function from indices to outputs, batch and list lengths dynamic, without traces of the machine that made it.

    Args:
        model: module that owns the weights.
        function: method of `model` that reads `features` by index.
        outputs: names of what it returns.
    """
    columns = [feature.column for feature in features]
    examples = tuple(_example(feature, schema) for feature in features)
    shapes = tuple({axis: torch.export.Dim.DYNAMIC for axis in _dynamic_axes(feature)} for feature in features)
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)  # it warns of every operator of packages that are not installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(
                _Positional(model, function, columns),
                examples,
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=(shapes,),
                input_names=columns,
                output_names=list(outputs),
                verbose=False,
            )
    finally:
        exporter_log.setLevel(level)
    traced = program.model_proto
    for node in traced.graph.node:
        node.ClearField("metadata_props")  # stack traces: they name folders of this machine
    return traced


def _example(feature: Feature, schema: Schema) -> Tensor:
    return torch.from_numpy(feature.example(schema.statistics[feature.column], 2))  # two rows: one would freeze the batch dimension


def _dynamic_axes(feature: Feature) -> tuple[int, ...]:
    return (0, 1) if feature.is_list and feature.max_len > 1 else (0,)


def _static_size(value: onnx.ValueInfoProto) -> int:
    return value.type.tensor_type.shape.dim[-1].dim_value


def model_proto(graph: Graph, outputs: list[onnx.ValueInfoProto]) -> ModelProto:
    """A finished graph as a file's content."""
    proto = helper.make_graph(graph.nodes, "recsys", graph.inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION, producer_name="recsys")


def check_ready(model: nn.Module) -> None:
    """Refuses a model that would not be exported as it was evaluated.

    Raises:
        IntegrityError: it is in training mode, not float32, or holds weights that are not finite.
    """
    weights = {name: values for name, values in model.state_dict().items() if values.is_floating_point()}
    training = [name or "the model" for name, module in model.named_modules() if module.training]
    narrow = [f"{name} ({values.dtype})" for name, values in weights.items() if values.dtype != torch.float32]
    broken = [name for name, values in weights.items() if not values.isfinite().all()]
    faults = []
    if training:
        faults.append(Fault("training mode: dropout would be exported", _first(training), "call model.eval() before export"))
    if narrow:
        faults.append(Fault("weights that are not float32", _first(narrow), "call model.float() before export"))
    if broken:
        faults.append(Fault("weights that are not finite", _first(broken), "export an earlier checkpoint"))
    if faults:
        raise IntegrityError(*faults)


def _first(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
