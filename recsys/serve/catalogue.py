"""Raw item features of a catalogue, checked once and kept by id. V items, M of them asked for."""

from collections.abc import Collection, Mapping

import numpy as np

from recsys.serve.fields import Field, Value
from recsys.serve.kinds import BY_DTYPE
from recsys.serve.requests import Columns, Rows, Table, by_column, wanted


class Catalogue:
    """Item features of any ids in one gather per column.

    Args:
        items: one dict per item, a dict of columns or an arrow table; columns that are not asked for are ignored.
        column: of the ids.
        dtype: raw type of the ids: "string" or "int64".
        fields: {column: field} of the features.

    Raises:
        ValueError: names a column that is missing, or an item with a bad value, without an id or with the id of another.
    """

    def __init__(self, items: Rows, column: str, dtype: str, fields: Mapping[str, Field]):
        self.column, self.fields = column, fields
        columns = _selected(items, {column: None, **fields})
        ids = Value(column, BY_DTYPE[dtype]).array(columns.values[column])
        self.position = {item: at for at, item in enumerate(ids.tolist())}
        if BY_DTYPE[dtype].missing in self.position:
            raise ValueError(f"items: got row {self.position[BY_DTYPE[dtype].missing]} without '{column}'; want an id in every row")
        if len(self.position) < len(ids):
            twice = next(item for at, item in enumerate(ids.tolist()) if self.position[item] != at)
            raise ValueError(f"items: got '{column}' {twice!r} more than once; want one row per item")
        self.arrays = {name: _with_missing(field, field.array(columns.values[name])) for name, field in fields.items() if name != column}

    def features(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """{column: [M] or [M, L]} of these raw ids; the missing value for an id that is not in the catalogue."""
        at = np.fromiter((self.position.get(item, -1) for item in ids.tolist()), np.int64, len(ids))  # -1: the last row is missing
        found = {name: values[at] for name, values in self.arrays.items()}
        return {**found, self.column: ids} if self.column in self.fields else found


def _selected(items: Rows, names: Collection[str]) -> Columns:
    if isinstance(items, Table):
        items = items.to_pydict()
    if isinstance(items, Mapping):
        present, items = set(items), {name: values for name, values in items.items() if name in names}
    else:
        present = {name for row in items for name in row}
        items = [{name: row[name] for name in names if name in row} for row in items]
    missing = [name for name in names if name not in present]
    if missing and len(items):
        raise ValueError(f"items: got no column '{missing[0]}'; want the raw item features of the catalogue: {wanted(missing[0], present)}")
    return by_column(items, names)


def _with_missing(field: Field, values: np.ndarray) -> np.ndarray:
    """One more row, of the missing value."""
    return np.concatenate([values, np.broadcast_to(field.array([None]), (1, *values.shape[1:]))])
