"""Faults of a file itself: empty, truncated, corrupted, not UTF-8, or a CSV field that is not of its column's type."""

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.errors import Fault
from recsys.source.base import PARQUET
from recsys.source.text_files import TEXT_SUFFIXES

BLOCK_BYTES = 1 << 24
THRIFT_I32 = 0x15
"""Compact-protocol header of a 32-bit field whose id is one above the previous field's."""


@dataclass(frozen=True)
class FileReport:
    """Result of reading one file."""

    faults: tuple[Fault, ...] = ()  # empty when its rows can be read
    has_checksums: bool | None = None  # whether its pages carry checksums, which were verified; None for other than parquet files


def inspect(path: Path, columns: Iterable[str] | None, encoding: str = "utf-8") -> FileReport:
    """Read one file for faults of its own; the pages of these columns are verified, others are not read; None = all."""
    try:
        if path.stat().st_size == 0:
            return FileReport((Fault("empty file: 0 bytes", str(path), "delete the file, or export it again"),))
        if path.name.endswith(PARQUET):
            return _inspect_parquet(path, columns)
        return FileReport(tuple(_text_faults(path, encoding)) if path.name.endswith(TEXT_SUFFIXES) else ())
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return FileReport((Fault(f"file cannot be read: {reason}", str(path), "check that it exists and may be read, or copy it again"),))


def _inspect_parquet(path: Path, columns: Iterable[str] | None) -> FileReport:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        what = f"the parquet file cannot be read, it is truncated or of another format: {str(error).splitlines()[0]}"
        return FileReport((Fault(what, str(path), "copy or export it again"),))
    if metadata.num_rows == 0:
        return FileReport((Fault("no rows in the file", str(path), "delete the file, or export it again"),))
    if not _has_checksums(path, metadata):
        return FileReport(has_checksums=False)
    return FileReport(tuple(_page_faults(path, metadata, columns)), has_checksums=True)


def _page_faults(path: Path, metadata: pq.FileMetaData, columns: Iterable[str] | None) -> Iterator[Fault]:
    names = metadata.schema.to_arrow_schema().names
    wanted = names if columns is None else [column for column in columns if column in names]
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(metadata.num_row_groups):
            for column in wanted:
                try:
                    file.read_row_group(group, columns=[column])
                except (pa.ArrowException, OSError) as error:
                    what, where = f"corrupted page: {str(error).splitlines()[0]}", f"{path}, row group {group}, column '{column}'"
                    yield Fault(what, where, "copy the file again: its bytes are not those that were written")


def _has_checksums(path: Path, metadata: pq.FileMetaData) -> bool:
    """Whether the first page header has a crc: its fields are type, uncompressed size, compressed size, then crc if there is one."""
    chunk = metadata.row_group(0).column(0)
    with path.open("rb") as file:
        file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
        header = file.read(64)
    position = 0
    for _ in range(3):
        position += 1
        while header[position] & 0x80:  # a varint continues while its high bit is set
            position += 1
        position += 1
    return header[position] == THRIFT_I32


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")


def _text_faults(path: Path, encoding: str) -> Iterator[Fault]:
    """At most one fault: the first byte that is not of the encoding, or no row below the header."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, consumed, has_header, has_rows = 1, 0, False, False
    with _open(path) as file:
        while True:
            block = file.read(BLOCK_BYTES)
            pending = decoder.getstate()[0]  # a character that began in the previous block
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                text, start = pending + block, error.start
                where = f"{path}, line {line + text[:start].count(10)}, byte {consumed - len(pending) + start}"
                remedy = "set data.source.encoding to that of the file, such as latin-1 or cp1252 (infer: --encoding)"
                yield Fault(f"not {'UTF-8' if encoding == 'utf-8' else encoding}: byte 0x{text[start]:02x}", where, remedy)
                return
            if not block:
                break
            below = block if has_header else block.partition(b"\n")[2]
            has_rows = has_rows or bool(below and not below.isspace())
            has_header = has_header or b"\n" in block
            line += block.count(10)
            consumed += len(block)
    if not has_rows:
        yield Fault("no rows in the file", str(path), "delete the file, or export it again")


def unreadable_fault(paths: Sequence[Path], error: pl.exceptions.PolarsError | OSError) -> Fault:
    """The fault behind an error that Polars raised while it read these files."""
    reason = str(error).splitlines()[0]
    remedy = "export these files again, or set data.source.separator, data.source.escape or data.source.types for the column named"
    return Fault(f"rows cannot be read: {reason}", ", ".join(map(str, paths)), remedy)
