"""A ranker as an ONNX graph from raw columns to calibrated probabilities. B rows, U = 1 or B users.

ranker.onnx: raw user columns [U], raw item and context columns [B] -> one output [B] float32 per label under its column name, the
probability (or number) where the label it is given is 1, and one per funnel over all rows, such as `click_conversion`. Bias columns,
such as a position, are no inputs: they count as unknown. The columns of one user serve any number of candidates.
"""

from collections.abc import Mapping

import polars as pl
import torch
from onnx import ModelProto, TensorProto, compose, helper
from torch import Tensor, nn

from recsys.export.graph import check_ready, model_proto, traced_model
from recsys.export.preprocessing import Graph, read_features
from recsys.model.base import Ranker
from recsys.nn.by_column import ByColumn
from recsys.schema import Schema, chains
from recsys.task.ranking.export.per_user import once_per_user

MODEL = "model/"
SINGLE = "single/"
"""Prefix of what is computed once per user."""


class Served(nn.Module):
    """A ranker with its calibrations, as it is served.

    Args:
        model: in evaluation mode.
        calibrations: {binary label: map from logit to probability}.
        schema: of the model.
    """

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
        found = []
        for columns in self.chains.values():
            found.append(predicted[columns[-1]])
            if len(columns) > 1:
                found.append(torch.stack([predicted[column] for column in columns]).prod(0))
        return tuple(found)


def export_ranker(served: Served, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> ModelProto:
    """The graph.

    Args:
        vocabularies: {column: raw values by vocabulary index; [0] and [1] are null}.
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
