"""Two towers whose vectors meet in a dot product. B rows, L history length, Q positions, D dim."""

from collections.abc import Callable, Collection, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.nn.encoder import ByColumn, embedding_tables
from recsys.ranges import Count, Share
from recsys.schema import FIRST_KNOWN, UNKNOWN, Schema
from recsys.schema.kind.history import histories
from recsys.tower.base import Tower

CATALOGUE_CHUNK = 65_536
"""Items encoded at once when the whole catalogue is; bounds memory, changes no vector."""


class TwoTower(nn.Module):
    """User tower and item tower in one vector space: the score of an item is the dot product of both vectors.

    Args:
        user, item: towers, partially built from config.
        dim: D of both towers' vectors.
        embedding_dim: width of every embedding table.
        normalize: L2-normalise both vectors, which makes the score a cosine in [-1, 1]; use a temperature in the loss then.
        share_item_table: the History of the user tower reads the item tower's table; otherwise it has one of its own.
        id_dropout: share of training rows whose user or item id is taken for unknown, so that new users and items are answered from
            their other features (after DropoutNet: Volkovs et al., NeurIPS 2017); at 0 an unknown id counts as the mean of the known ones.
        sparse_from: embedding tables with at least this many rows get sparse gradients, for a row-wise optimizer.
        schema: fitted schema.
    """

    def __init__(
        self,
        user: Callable[..., Tower],
        item: Callable[..., Tower],
        *,
        dim: Count,
        embedding_dim: Count,
        normalize: bool,
        share_item_table: bool,
        id_dropout: Share,
        sparse_from: Count,
        schema: Schema,
    ):
        super().__init__()
        self.dim = dim
        self.trained_unknowns = frozenset({schema.user, schema.item} if id_dropout > 0 else ())
        self.normalize = normalize
        user_features, item_features = schema.of("user"), schema.of("item")
        item_tables = embedding_tables(schema, item_features, embedding_dim, sparse_from)
        user_tables = embedding_tables(schema, user_features, embedding_dim, sparse_from)
        if share_item_table:
            listed = {feature.of for feature in histories(user_features)}
            user_tables = ByColumn(dict(user_tables.items()) | {column: item_tables[column] for column in listed})
        self.tables_by_tower = (item_tables, user_tables)  # a tuple: the towers register them
        self.user_tower = user(schema=schema, features=user_features, tables=user_tables, dim=dim, id_dropout=id_dropout)
        self.item_tower = item(schema=schema, features=item_features, tables=item_tables, dim=dim, id_dropout=id_dropout)

    def users(self, features: dict[str, Tensor]) -> Tensor:
        """User features {column: [B] or [B, L]} -> [B, D]."""
        return self._in_space(self.user_tower(features))

    def users_at_every_position(self, features: dict[str, Tensor]) -> Tensor:
        """User features with windows of a sequence -> [Q, D]; see `Tower.every_position`."""
        return self._in_space(self.user_tower.every_position(features))

    def items(self, features: dict[str, Tensor]) -> Tensor:
        """Item features {column: [N] or [N, L]} -> [N, D]."""
        return self._in_space(self.item_tower(features))

    @torch.no_grad()
    def fill_unknown(self, unread: Collection[str]) -> None:
        """Let an unknown value count as the mean of the known ones, where training never reads an unknown one and it would be noise.

        For ids alone (matrix factorisation) that answers an unknown user about as well as popularity does.

        Args:
            unread: columns of tables whose unknown row no training row reads; ids that `id_dropout` forgets are read nevertheless.
        """
        for tables in self.tables_by_tower:
            for column, table in tables.items():
                if column in unread and column not in self.trained_unknowns and table.num_embeddings > FIRST_KNOWN:
                    table.weight[UNKNOWN] = table.weight[FIRST_KNOWN:].mean(0)

    @torch.no_grad()
    def catalogue(self, features: Mapping[str, Tensor]) -> Tensor:
        """Features of a whole catalogue {column: [V] or [V, L]}, row 0 padding -> [V, D] float32, row 0 zero; dropout off."""
        training = self.training
        self.eval()
        vectors = [
            self.items({column: values[first : first + CATALOGUE_CHUNK] for column, values in features.items()})
            for first in range(1, len(next(iter(features.values()))), CATALOGUE_CHUNK)
        ]
        self.train(training)
        return torch.cat([vectors[0].new_zeros(1, vectors[0].shape[1]), *vectors])

    def _in_space(self, vectors: Tensor) -> Tensor:
        # float32: unit vectors rounded to bfloat16 would tie items that differ
        return F.normalize(vectors.float(), dim=-1) if self.normalize else vectors.float()
