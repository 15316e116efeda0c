"""A ranker predicts every label of a row from its features. B rows, T heads."""

from abc import ABC, abstractmethod
from functools import reduce

import torch
from torch import Tensor, nn

from recsys.errors import ConfigError, Fault
from recsys.schema import UNKNOWN, Schema


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


class PositionBias(nn.Module):
    """One number per output and value of each bias column (position, page, ...), added up; it starts at zero.

    The shallow tower of Zhao et al., RecSys 2019: clicks that the place explains are not credited to the item. When serving, the
    place is not known yet and every row gets the number of the unknown value; a share of training rows gets it too, so that it
    becomes the average effect and probabilities stay calibrated.

    Args:
        schema: fitted schema.
        num_outputs: T.
        dropout: share of training rows whose bias columns are all taken for unknown, in [0, 1).
    """

    def __init__(self, schema: Schema, num_outputs: int, *, dropout: float):
        super().__init__()
        self.columns = tuple(feature.column for feature in schema.of("bias"))
        tables = [nn.Embedding(schema.statistics[column].size, num_outputs) for column in self.columns]
        self.tables = nn.ModuleList(tables)
        self.dropout = dropout
        for table in tables:
            nn.init.zeros_(table.weight)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] int64} -> [B, T], or [1, T] where no bias column is there: an absent one counts as unknown."""
        known = {column: features[column] for column in self.columns if column in features}
        if self.training and self.dropout > 0 and known:
            first = next(iter(known.values()))
            forgotten = torch.rand(first.shape, device=first.device) < self.dropout  # [B], the same rows for all columns
            known = {column: index.masked_fill(forgotten, UNKNOWN) for column, index in known.items()}
        effects = [
            table(known[column]) if column in known else table.get_parameter("weight")[UNKNOWN, None]  # [B, T] or [1, T]
            for column, table in zip(self.columns, self.tables, strict=True)
        ]
        return reduce(torch.add, effects)
