"""Input of a ranker: the features of a row as one vector. B rows, L history length, D embedding dim."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recsys.errors import ArgumentError, Fault
from recsys.nn.cross import CrossNetwork, bi_interaction
from recsys.nn.encoder import Encoder, embedding_tables
from recsys.nn.target_attention import TargetAttention
from recsys.ranges import Count, Share
from recsys.schema import PAD, Feature, Schema
from recsys.schema.kind.history import histories


class RankingInput(nn.Module):
    """Encoded features of user, item and context side by side, with their products where the config wants them: [B, out_dim].

    Args:
        embedding_dim: D of every embedding table; a History reads the table of the item column it lists.
        id_dropout: share of training rows in which the user's or item's id is replaced by the unknown one, so that new users and
            items are judged by their other features (after DropoutNet: Volkovs et al., NeurIPS 2017), in [0, 1).
        sparse_from: tables with at least this many rows get sparse gradients, for a row-wise optimizer.
        fm: append the bi-interaction of all embedded columns.
        cross: partially built from config, or None: the concatenation goes through it.
        attention: partially built from config, or None: each History is pooled towards the row's item, not to its mean.
        schema: fitted schema.
    """

    def __init__(
        self,
        embedding_dim: Count,
        id_dropout: Share,
        sparse_from: Count,
        fm: bool,
        cross: Callable[..., CrossNetwork] | None,
        attention: Callable[..., TargetAttention] | None,
        *,
        schema: Schema,
    ):
        super().__init__()
        features = schema.of("user", "item", "context")
        embedded = [feature.column for feature in features if feature.has_table]
        self.histories = () if attention is None else histories(features)
        _check(features, embedded if fm else None, self.histories if attention is not None else None)
        self.fm_columns = embedded if fm else []
        tables = embedding_tables(schema, features, embedding_dim, sparse_from)
        encoded = tuple(feature for feature in features if feature not in self.histories)
        self.encoder = Encoder(schema, encoded, tables=tables, id_dropout=id_dropout)
        self.attentions = nn.ModuleList([attention(dim=embedding_dim) for _ in self.histories] if attention is not None else [])
        self.out_dim = self.encoder.out_dim + embedding_dim * (len(self.histories) + fm)
        self.cross = nn.Identity() if cross is None else cross(in_dim=self.out_dim)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """{column: [B] or [B, L]} -> [B, out_dim]; columns that are not the model's are left alone."""
        widths = self.encoder.widths
        parts = dict(zip(widths, self.encoder(features).split(list(widths.values()), dim=1), strict=True))  # each [B, width]
        for history, attention in zip(self.histories, self.attentions, strict=True):
            index = features[history.column]  # [B, L]
            entries = self.encoder.parts[history.of].get_submodule("table")(index)  # [B, L, D]
            # the target is the item as encoded: where its id is taken for unknown, it is unknown here too
            parts[history.column] = attention(parts[history.of], entries, index != PAD)
        blocks = list(parts.values())
        if self.fm_columns:
            blocks.append(bi_interaction(torch.stack([parts[column] for column in self.fm_columns], dim=1)))
        return self.cross(torch.cat(blocks, dim=1))


def _check(features: tuple[Feature, ...], multiplied: list[str] | None, attended: tuple[Feature, ...] | None) -> None:
    """Refuse a part that the features have nothing for; None = the part is off."""
    faults = []
    if not features:
        faults.append(Fault("no feature of user, item or context to rank by", "schema", "add one to data.features"))
    if multiplied is not None and len(multiplied) < 2:
        remedy = "set it to false, or add a Categorical, MultiCategorical or History"
        faults.append(Fault(f"fm multiplies pairs of embedded columns; the features have {len(multiplied)}", "fm", remedy))
    if attended is not None and not attended:
        remedy = "set it to null, or add a recsys.schema.History to data.features"
        faults.append(Fault("attention pools a History; the features have none", "attention", remedy))
    if faults:
        raise ArgumentError(*faults)
