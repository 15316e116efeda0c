"""Rows of a store as a person wrote them. B rows, L list length."""

from typing import Any

from torch import Tensor

from recsys.data.store import Store


def raw_values(store: Store, features: dict[str, Tensor]) -> list[dict[str, Any]]:
    """{column: value} of each row, None where a value is missing or unknown to training.

    A history is its latest items, the last first. Vectors and hashed values are left out: nobody knows their raw values.

    Args:
        features: {column: [B] or [B, L]} by index, of a few rows.
    """
    schema, columns = store.schema, {}
    for feature in schema.features:
        if feature.column in features:
            vocabulary = store.vocabulary(feature.table) if schema.keeps_vocabulary(feature.column) else None
            columns[feature.column] = feature.raw_words(features[feature.column].tolist(), vocabulary)
    columns = {column: values for column, values in columns.items() if values is not None}
    return [dict(zip(columns, row)) for row in zip(*columns.values())]
