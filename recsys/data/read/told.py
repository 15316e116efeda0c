"""What a Store holds by index, as it stood in the tables. B rows, L list length."""

from datetime import UTC, datetime
from typing import Any

from torch import Tensor

from recsys.data.store import Store
from recsys.schema import FIRST_KNOWN, PAD, Categorical, Feature, History, MultiCategorical, Numeric, Timestamp, Vector

LATEST = 5
"""Items of a history that are told."""


def raw_values(store: Store, features: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Rows as a person wrote them: {column: value}, None where a value is missing or unknown to training.

    A history is its latest items, the last first. Vectors, and what was hashed, have no raw value and are left out.

    Args:
        features: {column: [B] or [B, L]} by index, of a few rows.
    """
    columns = {}
    for feature in store.schema.features:
        hashed = isinstance(feature, Categorical | MultiCategorical) and feature.buckets
        if feature.column in features and not isinstance(feature, Vector) and not hashed:
            columns[feature.column] = _column(store, feature, features[feature.column].tolist())
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _column(store: Store, feature: Feature, values: list) -> list[Any]:
    match feature:
        case Numeric():
            return [float(f"{value:.7g}") if value == value else None for value in values]  # as many digits as a float32 has
        case Timestamp():
            return [datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M") for value in values]
    known = store.vocabulary(store.schema.table(feature.column))
    if isinstance(feature, Categorical):
        return known.gather(values).to_list()
    found = []
    for row in values:
        indices = [value for value in row if value != PAD]
        chosen = indices[::-1][:LATEST] if isinstance(feature, History) else [value for value in indices if value >= FIRST_KNOWN]
        found.append(known.gather(chosen).to_list())
    return found
