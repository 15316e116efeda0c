"""A ranker as an ONNX graph from raw columns to calibrated probabilities. B rows, U = 1 or B users.

ranker.onnx: raw user columns [U], raw item and context columns [B] -> one output [B] float32 per label under its column name, the
probability (or number) where the label it is given is 1, and one per funnel over all rows, such as `click_conversion`. Bias columns,
such as a position, are no inputs: they count as unknown. The columns of one user serve any number of candidates.
"""

from collections.abc import Iterable, Iterator, Mapping

import polars as pl
import torch
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper
from torch import Tensor, nn

from recsys.export.graph import check_ready, model_proto, traced_model
from recsys.export.preprocessing import Graph, read_features
from recsys.model.base import Ranker
from recsys.nn.encoder import ByColumn
from recsys.schema import Schema, chains

MODEL = "model/"
SINGLE = "single/"
"""Prefix of what is computed once per user."""
ELEMENTWISE = {"Abs", "Add", "Cast", "Clip", "Div", "Equal", "GreaterOrEqual", "IsNaN", "Log", "Mul", "Not", "Sign", "Sub", "Where"}


class Served(nn.Module):
    """A ranker in evaluation mode with its calibrations {binary label: map from logit to probability}, as it is served."""

    def __init__(self, model: Ranker, calibrations: Mapping[str, nn.Module], schema: Schema):
        super().__init__()
        self.model = model
        self.calibrations = ByColumn(calibrations)
        self.features = schema.of("user", "item", "context")
        self.chains = chains(schema.labels)
        self.outputs = tuple(name for columns in self.chains.values() for name in dict.fromkeys((columns[-1], "_".join(columns))))

    def units(self) -> list[float]:
        """For each output what its numbers are counted in: 1 for a probability, a number's deviation in training where that is above 1."""
        scale = dict(zip(self.model.heads, self.model.scale.tolist()))
        return [max(1.0, scale[columns[-1]]) for columns in self.chains.values() for _ in range(1 + (len(columns) > 1))]

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """{column: [B] or [B, L]} by index -> `outputs`, each [B] float32."""
        raw = self.model(features)
        predicted = {column: raw[column] for column in self.chains}
        predicted |= {column: calibration(raw[column]) for column, calibration in self.calibrations.items()}
        outputs = []
        for columns in self.chains.values():
            outputs.append(predicted[columns[-1]])
            if len(columns) > 1:
                outputs.append(torch.stack([predicted[column] for column in columns]).prod(0))
        return tuple(outputs)


def export_ranker(served: Served, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> ModelProto:
    """Graph of a ranker, with vocabularies {column: raw values by vocabulary index; [0] and [1] are null}.

    Raises:
        IntegrityError: the model is in training mode or not float32, or a vocabulary is not the model's.
    """
    check_ready(served)
    graph = Graph("raw/")
    users, others = schema.of("user"), schema.of("item", "context")
    traced = compose.add_prefix(traced_model(served, served, served.features, schema, outputs=served.outputs), MODEL)
    graph.constants += traced.graph.initializer
    if users and others:
        read_features(graph, users, schema, vocabularies, prefix=SINGLE, batch="users")
        read_features(graph, others, schema, vocabularies, prefix=MODEL)
        single = {f"{MODEL}{feature.column}": f"{SINGLE}{feature.column}" for feature in users}
        constants = {constant.name: constant for constant in traced.graph.initializer}
        at = _user_of_row(graph, users[0].column, others[0].column)
        graph.nodes += once_per_user(traced.graph.node, constants, single, at)
    else:
        read_features(graph, users + others, schema, vocabularies, prefix=MODEL)
        graph.nodes += traced.graph.node
    for name in served.outputs:
        graph.add("Identity", f"{MODEL}{name}", output=name)
    return model_proto(graph, [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in served.outputs])


def _user_of_row(graph: Graph, user_column: str, row_column: str) -> str:
    """[B] int64: its own number where there are as many users as rows, 0 where there is one."""
    rows = graph.add("Squeeze", graph.add("Shape", f"{MODEL}{row_column}", start=0, end=1))
    users = graph.add("Squeeze", graph.add("Shape", f"{SINGLE}{user_column}", start=0, end=1))
    zero, one = (graph.add("Squeeze", graph.integer(value)) for value in (0, 1))
    return graph.add("Mod", graph.add("Range", zero, rows, one), users)


def once_per_user(
    nodes: Iterable[NodeProto], constants: Mapping[str, TensorProto], single: Mapping[str, str], at: str
) -> Iterator[NodeProto]:
    """Nodes of a graph over rows; those that depend on users alone are moved to one row per user.

    A node is moved where each of its output rows comes from the same row of its inputs: arithmetic, look-ups and sums over lists. What
    the others read of a user is gathered by row in between.

    Args:
        nodes: in an order in which they can run.
        constants: by name.
        single: {name of a tensor by row: name of the same by user}.
        at: name of [B] int64, the user of each row.
    """
    single, spread = dict(single), set()
    for node in nodes:
        if _row_by_row(node, constants, single):
            moved = NodeProto()
            moved.CopyFrom(node)
            for place, name in enumerate(node.input):
                moved.input[place] = single.get(name, name)
            for place, name in enumerate(node.output):
                single[name] = moved.output[place] = f"{name}/user"
            yield moved
            continue
        for name in node.input:
            if name in single and name not in spread:
                spread.add(name)
                yield helper.make_node("Gather", [single[name], at], [name], name=f"{name}/spread", axis=0)
        yield node


def _row_by_row(node: NodeProto, constants: Mapping[str, TensorProto], single: Mapping[str, str]) -> bool:
    """True for a node that reads only users and constants, and makes of each row one row."""
    read = [name for name in node.input if name and name not in constants]
    if not read or not all(name in single for name in read):
        return False
    fixed = [constants[name] for name in node.input if name in constants]
    if node.op_type == "Gather":  # a row of a table for each index
        return node.input[0] in constants and all(attribute.i == 0 for attribute in node.attribute if attribute.name == "axis")
    if node.op_type == "Unsqueeze":
        return 0 not in numpy_helper.to_array(fixed[0])
    if node.op_type == "ReduceSum":
        return len(fixed) == 1 and all(axis > 0 for axis in numpy_helper.to_array(fixed[0]).tolist())
    return node.op_type in ELEMENTWISE and all(len(constant.dims) <= 1 for constant in fixed)
