"""Feature columns as the numbers a network reads: one part per feature, embeddings shared by table.

B rows or lists, L list length, V rows of a table, D embedding dim.

Everything but the vocabulary look-up happens here (missing values, log, standardisation, buckets, clock), so that the exported
graph takes raw values and cannot differ from training.
"""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from recsys.nn.pooling import SumOfEmbeddings
from recsys.schema import PAD, UNKNOWN, Categorical, Feature, History, MultiCategorical, Numeric, Schema, Timestamp, Vector
from recsys.schema.kind.timestamp import DAY_S, HOUR_S

M = TypeVar("M", bound=nn.Module)


class ByColumn(nn.Module, Generic[M]):
    """Takes every column name, as a ModuleDict does not; weights are saved under the name itself wherever torch allows it.

    Args:
        modules: {column: module}; names that torch keeps for itself, such as `type`, `items` or `user.age`, are allowed.
    """

    def __init__(self, modules: Mapping[str, M]):
        super().__init__()
        self.columns = tuple(modules)
        for column, module in modules.items():
            self.add_module(_module_name(column), module)

    def __getitem__(self, column: str) -> M:
        """The module of a column; a KeyError if there is none."""
        return cast(M, self._modules[_module_name(column)])

    def __contains__(self, column: str) -> bool:
        return column in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def items(self) -> list[tuple[str, M]]:
        """(column, module) in order."""
        return [(column, self[column]) for column in self.columns]

    def values(self) -> list[M]:
        """The modules in order; one that several columns share stands there for each."""
        return [module for _, module in self.items()]


TAKEN = frozenset(dir(ByColumn({})))
"""Names that a module has for itself."""


def _module_name(column: str) -> str:
    name = column.replace(".", "%2E")
    return f"{name}%" if name in TAKEN else name


def embedding_tables(schema: Schema, features: tuple[Feature, ...], dim: int, sparse_from: int) -> ByColumn:
    """One embedding table [size, dim] per vocabulary that the features use, keyed by column; row 0 (padding) is zero.

    Args:
        sparse_from: tables with at least this many rows get sparse gradients, for a row-wise optimizer.
    """
    columns = dict.fromkeys(feature.table for feature in features if feature.has_table)
    tables = {}
    for column in columns:
        size = schema.statistics[column].size
        tables[column] = nn.Embedding(size, dim, padding_idx=PAD, sparse=size >= sparse_from)
        nn.init.normal_(tables[column].weight, std=dim**-0.5)
        nn.init.zeros_(tables[column].weight[PAD])
    return ByColumn(tables)


class Encoder(nn.Module):
    """Encodes features side by side: [B, out_dim] in the order of `features`.

    Args:
        schema: fitted schema.
        features: the columns to read.
        tables: embedding tables by column, as from `embedding_tables`; may be shared between encoders.
        id_dropout: share of training rows in which the user's or item's id is replaced by the unknown one, in [0, 1).
    """

    def __init__(self, schema: Schema, features: tuple[Feature, ...], *, tables: ByColumn, id_dropout: float = 0.0):
        super().__init__()
        forgotten = {schema.user: id_dropout, schema.item: id_dropout}
        self.parts = ByColumn({feature.column: _part(schema, feature, tables, forgotten.get(feature.column, 0.0)) for feature in features})
        self.widths = {column: part.width for column, part in self.parts.items()}
        self.out_dim = sum(self.widths.values())

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, out_dim] float."""
        return torch.cat([part(features[column]) for column, part in self.parts.items()], dim=1)


class _Part(nn.Module):
    """Network of one feature: [B, ...] -> [B, width]."""

    width: int


def _part(schema: Schema, feature: Feature, tables: ByColumn, forgotten: float) -> _Part:
    match feature:
        case Categorical():
            return _Embedded(tables[feature.column], forgotten)
        case MultiCategorical() | History():
            return _MeanEmbedded(tables[feature.table])
        case Numeric():
            return _Number(schema, feature)
        case Vector():
            return _Dense(schema.statistics[feature.column].size)
        case Timestamp():
            return _Clock()
    raise AssertionError(f"no encoder part for {type(feature).__name__}")


class _Embedded(_Part):
    """One embedding per row. A share of training rows gets the unknown one, which so learns to stand beside the other features alone."""

    def __init__(self, table: nn.Embedding, forgotten: float):
        super().__init__()
        self.table = table
        self.forgotten = forgotten
        self.width = table.embedding_dim

    def forward(self, index: Tensor) -> Tensor:
        if self.training and self.forgotten > 0:
            index = index.masked_fill(torch.rand(index.shape, device=index.device) < self.forgotten, UNKNOWN)
        return self.table(index)  # [B, D]


class _MeanEmbedded(_Part):
    """Mean embedding of the entries that are no padding; the zero vector for an empty list."""

    def __init__(self, table: nn.Embedding):
        super().__init__()
        self.table = table
        self.width = table.embedding_dim

    def forward(self, index: Tensor) -> Tensor:
        count = (index != PAD).sum(1, keepdim=True).clamp(min=1)
        if self.training and not self.table.sparse:
            return SumOfEmbeddings.apply(self.table.weight, index) / count
        return self.table(index).sum(1) / count  # [B, L, D] -> [B, D]; padding rows are zero vectors


class _Number(_Part):
    """A standardised number, and the embedding of its quantile bucket where the feature asks for one."""

    missing: Tensor
    shift: Tensor
    scale: Tensor
    boundaries: Tensor

    def __init__(self, schema: Schema, feature: Numeric):
        super().__init__()
        statistics = schema.statistics[feature.column]
        self.log = feature.log
        scale = statistics.std if feature.standardize and statistics.std > 0 else 1.0
        shift = statistics.mean if feature.standardize else 0.0
        missing = torch.tensor(statistics.mean if feature.fill is None else feature.fill)
        if self.log and feature.fill is not None:
            missing = missing.sign() * missing.abs().log1p()
        self.register_buffer("missing", missing)
        self.register_buffer("shift", torch.tensor(shift))
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("boundaries", torch.tensor(statistics.boundaries))
        self.buckets = nn.Embedding(len(statistics.boundaries) + 1, BUCKET_DIM) if statistics.boundaries else None
        self.width = 1 + (BUCKET_DIM if self.buckets is not None else 0)

    def forward(self, value: Tensor) -> Tensor:
        number = value.sign() * value.abs().log1p() if self.log else value
        number = torch.where(number.isnan(), self.missing, number)
        standard = ((number - self.shift) / self.scale)[:, None]  # [B, 1]
        if self.buckets is None:
            return standard
        bucket = (value[:, None] >= self.boundaries).sum(1)  # [B], a missing value falls into bucket 0
        return torch.cat([standard, self.buckets(bucket)], dim=1)


class _Dense(_Part):
    """The vector itself."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width

    def forward(self, vector: Tensor) -> Tensor:
        return vector


class _Clock(_Part):
    """Embeddings of the UTC hour of day and day of week of an epoch second."""

    def __init__(self):
        super().__init__()
        self.hour = nn.Embedding(24, BUCKET_DIM)
        self.weekday = nn.Embedding(7, BUCKET_DIM)
        self.width = 2 * BUCKET_DIM

    def forward(self, second: Tensor) -> Tensor:
        # remainders first: the exported graph divides in float32, which is exact for what is left of a week, not for an epoch second
        hour = torch.remainder(second, DAY_S).div(HOUR_S, rounding_mode="floor")
        weekday = torch.remainder(second + 3 * DAY_S, 7 * DAY_S).div(DAY_S, rounding_mode="floor")  # 1970-01-01 was a Thursday; 0 = Monday
        return torch.cat([self.hour(hour), self.weekday(weekday)], dim=1)


BUCKET_DIM = 8
"""Width of the embedding of a quantile bucket, hour or weekday: few values need few dimensions."""
