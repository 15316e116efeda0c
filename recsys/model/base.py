"""A ranker predicts every label of a row from its features. B rows, T heads."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from recsys.errors import ConfigError, Fault
from recsys.nn.position_bias import PositionBias
from recsys.schema import Schema


class Ranker(nn.Module, ABC):
    """Features in, one number per head out; no sigmoid, no loss.

    A head is a label column, or an auxiliary output that a loss asks for. A label's head predicts it where the label it is given is 1:
    the head of conversion, given click, is the logit of P(conversion | click).

    Args:
        bias_dropout: share of training rows whose bias columns are taken for unknown; see `PositionBias`.
        schema: fitted schema; its bias columns add to the labels that are given no other.
        heads: names of the outputs: the schema's label columns in its order, then auxiliary ones.
    """

    biased: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, bias_dropout: float, *, schema: Schema, heads: tuple[str, ...]):
        super().__init__()
        columns = tuple(label.column for label in schema.labels)
        if not columns:
            raise ConfigError(Fault("no label to predict", "data.labels", "name the columns to predict"))
        if heads[: len(columns)] != columns:
            raise ValueError(f"heads begin with the schema's labels {columns}, got {heads}")
        self.heads = heads
        biased, shift, scale = torch.zeros(len(heads)), torch.zeros(len(heads)), torch.ones(len(heads))
        for at, label in enumerate(schema.labels):
            biased[at] = float(label.given is None)
            if label.kind == "regression":
                shift[at], scale[at] = schema.statistics[label.column].mean, schema.statistics[label.column].std
        self.register_buffer("biased", biased)
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)
        self.bias = PositionBias(schema, len(heads), dropout=bias_dropout) if schema.of("bias") else None

    @abstractmethod
    def raw_outputs(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, T], a logit or a standardised number per head, without bias columns."""

    @abstractmethod
    def shared_modules(self) -> list[nn.Module]:
        """Modules that more than one head's output depends on, if there is more than one head.

        A module that holds a part for each head counts only where one of those parts reaches another head.
        """

    def shared_parameters(self) -> list[nn.Parameter]:
        """Parameters that more than one head's output depends on, for balancing the heads' gradients; empty with one head."""
        return list(nn.ModuleList(self.shared_modules()).parameters()) if len(self.heads) > 1 else []

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Predict every head.

        Args:
            features: {column: [B] or [B, L]}; bias columns may be absent, as when serving.
        Returns:
            {head: [B] float32}: logits, and the predicted number itself for a label of kind regression.
        """
        outputs = self.raw_outputs(features).float()  # float32: a loss needs more than the three digits of bfloat16
        if self.bias is not None:
            outputs = outputs + self.biased * self.bias(features)
        outputs = self.shift + self.scale * outputs  # [B, T]
        return dict(zip(self.heads, outputs.unbind(1), strict=True))
