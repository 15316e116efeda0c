"""Models as ONNX graphs: traced without marks of this machine, checked, described, and opened."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import onnxruntime
import torch
from onnx import ModelProto, TensorProto, helper
from torch import Tensor, nn

from recsys.errors import Fault, IntegrityError, name_list
from recsys.export.preprocessing import Graph
from recsys.schema import Feature, Schema
from recsys.serve.graph import foreign_operator

OPSET = 20
"""ai.onnx operators; Equal on strings needs 19."""
OPSETS = {"": OPSET, "ai.onnx.ml": 3, "com.microsoft": 1}
IR_VERSION = 10
MAX_BYTES = 2**31 - 1
"""A protobuf message, so an ONNX file without external data, ends below 2 GiB."""
REMEDY = "nothing was published; export again, and report the row if it stays: an operator differs between torch and onnxruntime"
"""For a graph that answers otherwise than its model."""
Outputs = Tensor | tuple[Tensor, ...]
Function = Callable[[dict[str, Tensor]], Outputs]


def save_graph(path: Path, model: ModelProto, facts: Mapping[str, str]) -> None:
    """Check a graph, and write it with facts (hashes of schema and vocabularies) in its metadata; an IntegrityError as in `check`."""
    helper.set_model_props(model, dict(facts))
    check(path.name, model)
    onnx.save(model, path)


def check(name: str, model: ModelProto) -> None:
    """An IntegrityError that names file and node, where a graph is not below 2 GiB, float32 throughout and passed by onnx.checker."""
    size = model.ByteSize()
    if size > MAX_BYTES:
        remedy = "use hash buckets for the largest vocabulary, a smaller dim, or search item_embeddings.parquet outside the graph"
        raise IntegrityError(Fault(f"the graph would take {size:,} bytes; one ONNX file holds {MAX_BYTES:,}", name, remedy))
    narrow = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    casts = [node.name for node in model.graph.node if node.op_type == "Cast" and helper.get_node_attr_value(node, "to") in narrow]
    weights = [constant.name for constant in model.graph.initializer if constant.data_type in narrow]
    if casts or weights:
        raise IntegrityError(Fault(f"half-precision values in {', '.join(casts + weights)}", name, "export in float32: call model.float()"))
    if operator := foreign_operator(model.SerializeToString()):
        remedy = "build the layer of other operators, or add this one to recsys/serve/operators.py here and at the server"
        raise IntegrityError(Fault(f"the graph holds the operator {operator}, which servers do not run", name, remedy))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise IntegrityError(Fault(f"onnx.checker refuses the graph: {error}", name, "change the layer that makes this node")) from error


class _Positional(nn.Module):
    """A function of one positional argument per column: torch.onnx would call the entries of a dict `features_<column>`."""

    def __init__(self, model: nn.Module, function: Function, columns: list[str]):
        super().__init__()
        self.model, self.function, self.columns = model, function, columns
        self.eval()

    def forward(self, *values: Tensor) -> Outputs:
        return self.function(dict(zip(self.columns, values, strict=True)))


def traced_model(
    model: nn.Module, function: Function, features: tuple[Feature, ...], schema: Schema, *, outputs: Sequence[str]
) -> ModelProto:
    """A method of `model` from `features` by index to `outputs`, batch and list lengths dynamic, without traces of this machine."""
    columns = [feature.column for feature in features]
    # two rows: one would freeze the batch dimension
    examples = tuple(torch.from_numpy(feature.example(schema.statistics[feature.column], 2)) for feature in features)
    lists = [feature.is_list and feature.max_len > 1 for feature in features]  # their length is dynamic too
    shapes = tuple(dict.fromkeys((0, 1) if is_list else (0,), torch.export.Dim.DYNAMIC) for is_list in lists)
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
    assert program is not None
    traced = program.model_proto
    for node in traced.graph.node:
        node.ClearField("metadata_props")  # stack traces: they name folders of this machine
    return traced


def static_size(value: onnx.ValueInfoProto) -> int:
    """Size of the last dimension."""
    return value.type.tensor_type.shape.dim[-1].dim_value


def model_proto(graph: Graph, outputs: list[onnx.ValueInfoProto]) -> ModelProto:
    """A finished graph as a file's content."""
    proto = helper.make_graph(graph.nodes, "recsys", graph.inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(proto, opset_imports=opsets, ir_version=IR_VERSION, producer_name="recsys")


def check_ready(model: nn.Module) -> None:
    """An IntegrityError where a model is in training mode, not float32, or holds weights that are not finite."""
    weights = {name: values for name, values in model.state_dict().items() if values.is_floating_point()}
    training = [name or "the model" for name, module in model.named_modules() if module.training]
    narrow = [f"{name} ({values.dtype})" for name, values in weights.items() if values.dtype != torch.float32]
    broken = [name for name, values in weights.items() if not values.isfinite().all()]
    faults = [
        Fault(what, name_list(names), remedy)
        for what, names, remedy in (
            ("training mode: dropout would be exported", training, "call model.eval() before export"),
            ("weights that are not float32", narrow, "call model.float() before export"),
            ("weights that are not finite", broken, "export an earlier checkpoint"),
        )
        if names
    ]
    if faults:
        raise IntegrityError(*faults)


def session(graph: Path | ModelProto) -> onnxruntime.InferenceSession:
    """A graph on one thread; an IntegrityError where onnxruntime cannot load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = graph if isinstance(graph, Path) else graph.SerializeToString()
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one class per cause, none public; the message names the node
        name = graph.name if isinstance(graph, Path) else "the graph in memory"
        remedy = "replace the layer that makes this node, or update onnxruntime"
        raise IntegrityError(Fault(f"onnxruntime cannot load the graph: {error}", name, remedy)) from error
