"""Test data with the values of the source, which the run keeps (`recsys.data.store.raw_categories`): what production would send.

Where the bundle in production reads other columns, or a column as another kind, there is no comparison (`recsys.export.production`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from recsys.data.read.rows import items_before
from recsys.data.store.raw_categories import RawCategories
from recsys.export.preprocessing import raw_array, raw_lists
from recsys.run.directory import RunDirectory
from recsys.schema import Feature


class SourceValues:
    """Raw columns as graphs take them, categories as the source has them, histories as long as the run or `lengths` {history: entries}."""

    def __init__(self, run: RunDirectory, lengths: Mapping[str, int]):
        self.store, self.schema, self.lengths = run.store, run.schema, lengths
        self.categories = RawCategories.read(run.path, run.store)

    def columns(
        self,
        kinds: Sequence[Feature],
        features: Mapping[str, Tensor],
        at: Mapping[str, Tensor],
        *,
        events: tuple[Tensor, Tensor] | None = None,
    ) -> dict[str, np.ndarray]:
        """{column: [B] or [B, L]}.

        Args:
            features: {column: [B, ...]} as the store has them; numbers, moments and vectors are raw there.
            at: {entity: [B] entity index; "context": row of the store}.
            events: where the events that a history may list begin and end, [B] each; None where no kind is a history.
        """
        raw = {}
        for kind in kinds:
            dtype = self.schema.statistics[kind.column].dtype
            if not kind.has_table:
                raw[kind.column] = features[kind.column].numpy()
            elif kind.is_stored:
                values = self.categories.values(kind.column, at[kind.entity].numpy())
                raw[kind.column] = raw_lists(values.to_list(), dtype) if kind.is_list else raw_array(values, dtype)
            else:
                assert events is not None
                items = items_before(self.store, events[0], events[1], max(kind.max_len, self.lengths.get(kind.column, 0)))
                raw[kind.column] = raw_array(self.categories.values(kind.table, items.flatten().numpy()), dtype).reshape(items.shape)
        return raw
