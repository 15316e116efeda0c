"""A parquet file of requests in blocks of bounded memory, whatever its rows hold. N rows.

A list of 30 million equal entries takes a few hundred bytes in the file and gigabytes as Python objects. So texts stay numbers into their
dictionary until a block is small enough, and a row that is too large is never made into objects.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.serve.fields import BadRow

ROW_BYTES = 16 << 20
"""A row's values as Python objects, at most; also those of all rows of one call."""
VALUE_BYTES = 64
"""Memory of one value as a Python object, without the letters of a text."""
GROUP_VALUES, GROUP_BYTES = 1 << 27, 1 << 30
"""Largest number of values of a column in one row group, and of its bytes before compression."""


def open_requests(path: Path) -> pq.ParquetFile:
    """The file; its texts are read as dictionaries. A ValueError names a row group that would take too much memory."""
    metadata = pq.read_metadata(path)
    for group in range(metadata.num_row_groups):
        _check_group(metadata.row_group(group), group)
    columns = [metadata.schema.column(number) for number in range(len(metadata.schema))]
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, metadata=metadata, read_dictionary=texts, pre_buffer=False)


def _check_group(group: pq.RowGroupMetaData, number: int) -> None:
    for column in (group.column(at) for at in range(group.num_columns)):
        where = f"row group {number}, column '{column.path_in_schema}'"
        if column.num_values * VALUE_BYTES > max(1, group.num_rows) * ROW_BYTES:
            raise ValueError(f"{where}: got {column.num_values:,} entries in {group.num_rows:,} rows; send shorter lists")
        if column.num_values > GROUP_VALUES or column.total_uncompressed_size > GROUP_BYTES:
            size = f"{column.num_values:,} entries, {column.total_uncompressed_size:,} bytes"
            raise ValueError(f"{where}: got {size}; write smaller row groups, such as row_group_size=10_000")


def blocks(file: pq.ParquetFile, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows in order, at most so many at once; of one row group each, as arrow does not join the dictionaries of lists."""
    for group in range(file.num_row_groups):
        yield from file.iter_batches(rows, row_groups=[group])


def large_rows(block: pa.RecordBatch, start: int) -> tuple[np.ndarray, list[BadRow]]:
    """Bytes of every row [N] as Python objects, 0 where it is too large to be made into some; and a fault for each of those.

    Args:
        start: number of the first row in the file.
    """
    by_column = {name: value_bytes(column) for name, column in zip(block.schema.names, block.columns)}
    total = np.zeros(len(block), np.int64)
    for values in by_column.values():
        total += values
    faults = []
    for row in np.flatnonzero(total > ROW_BYTES).tolist():
        largest = max(by_column, key=lambda name: by_column[name][row])
        got = f"values of {int(total[row]):,} bytes"
        faults.append(BadRow(start + row, largest, got, f"at most {ROW_BYTES:,} bytes a row: send shorter lists or texts"))
        total[row] = 0
    return total, faults


def value_bytes(column: pa.Array) -> np.ndarray:
    """Bytes of each value of a column [N] as Python objects, from its lengths alone; int64."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        codes = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
        return value_bytes(column.dictionary)[codes] if len(column.dictionary) else np.full(len(column), VALUE_BYTES)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        offsets = column.offsets.to_numpy()
        entries = column.values.slice(offsets[0], offsets[-1] - offsets[0])
        before = np.concatenate([[0], value_bytes(entries).cumsum()])[offsets - offsets[0]]
        return VALUE_BYTES + np.diff(before)
    if pa.types.is_fixed_size_list(kind):
        return VALUE_BYTES + value_bytes(column.flatten()).sum() // max(1, len(column)) * np.ones(len(column), np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return VALUE_BYTES + pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.full(len(column), VALUE_BYTES)


def calls(sizes: Sequence[int] | np.ndarray, rows: int) -> Iterator[tuple[int, int]]:
    """(first row, number of rows) of calls in order: at most so many rows, and of `ROW_BYTES` in all."""
    first, total = 0, 0
    for at, size in enumerate(sizes):
        if at > first and (at - first == rows or total + size > ROW_BYTES):
            yield first, at - first
            first, total = at, 0
        total += size
    if len(sizes):
        yield first, len(sizes) - first


def python_columns(batch: pa.RecordBatch, left_out: Sequence[int] = ()) -> dict[str, list[Any]]:
    """A batch as a dict of columns, the rows left out as missing values; moments finer than a microsecond are cut, as Python has none."""
    if not left_out:
        return {name: _python_values(column) for name, column in zip(batch.schema.names, batch.columns)}
    rest = np.delete(np.arange(len(batch)), left_out)
    columns = python_columns(batch.take(pa.array(rest)))
    places = {row: at for at, row in enumerate(rest.tolist())}
    return {name: [values[places[row]] if row in places else None for row in range(len(batch))] for name, values in columns.items()}


def _python_values(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    elif pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    elif pa.types.is_list(kind) and pa.types.is_dictionary(kind.value_type):
        first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()  # a cast would decode the rows around the slice too
        entries = column.values.slice(first, last - first).dictionary_decode()
        column = pa.ListArray.from_arrays(pc.subtract(column.offsets, first), entries, mask=column.is_null())
    return column.to_pylist()
