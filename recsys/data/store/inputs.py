"""Inputs of a store: the files with their hashes, and the key that names the store after them."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from recsys.errors import Fault
from recsys.source.base import Source, Tables

WHOLE_BYTES = 200_000_000
"""Up to this total size, files are hashed whole (0.2 s); beyond, their first and last block, size and time of change stand for them."""
BLOCK_BYTES = 4 << 20
KEY_LENGTH = 16


@dataclass(frozen=True)
class Input:
    """One input file of a table as it was read.

    Attributes:
        path: absolute, since a run may be exported from another folder than it was trained in.
        size: bytes.
        mtime_ns: time of the last change, nanoseconds since 1970 UTC.
        sha256: of the `whole` file, or else of its first and last block.
    """

    table: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    whole: bool

    @property
    def content(self) -> tuple:
        """Facts that decide whether the file is the same: not its folder, and its time of change only where it was not read whole."""
        return self.table, Path(self.path).name, self.size, self.sha256, None if self.whole else self.mtime_ns


def inputs(tables: Tables) -> tuple[Input, ...]:
    """Files behind the tables, in row order; tables without files count by the hash of their content."""
    if not tables.files:
        frames = {"interactions": tables.interactions, "users": tables.users, "items": tables.items}
        return tuple(_in_memory(name, frame) for name, frame in frames.items() if frame is not None)
    files = [(table, Path(path)) for table, paths in tables.files.items() for path in paths]
    whole = sum(path.stat().st_size for _, path in files) <= WHOLE_BYTES
    return tuple(_input(table, path, whole) for table, path in files)


def content_key(read: tuple[Input, ...], *settings: object) -> str:
    """Name of the store: a hash of the files' content and of everything in the configuration that changes what is prepared.

    Args:
        settings: each counts as its repr, which must not hold an address.
    """
    document = json.dumps([[entry.content for entry in read], *map(repr, settings)])
    return hashlib.sha256(document.encode()).hexdigest()[:KEY_LENGTH]


def source_description(source: Source) -> tuple:
    """A source as (class, arguments), for the key."""
    return type(source).__qualname__, sorted(vars(source).items())


def changes(recorded: list[dict]) -> list[Fault]:
    """One fault per input file of the manifest that is not what it was when it was read."""
    faults = []
    for entry in (Input(**record) for record in recorded):
        path = Path(entry.path)
        if not entry.path:
            continue  # a table in memory left nothing to compare with
        now = _input(entry.table, path, entry.whole) if path.exists() else None
        if now is None or now.content != entry.content:
            what = "is gone" if now is None else f"has changed: {_difference(entry, now)}"
            remedy = "put the file back, or train again on the new one"
            faults.append(Fault(f"input file {what} since the data was prepared", entry.path, remedy))
    return faults


def _difference(before: Input, now: Input) -> str:
    if before.size != now.size:
        return f"{before.size:,} bytes then, {now.size:,} now"
    if before.sha256 != now.sha256:
        return f"sha256 {before.sha256[:12]} then, {now.sha256[:12]} now"
    return "written again, same size"


def _input(table: str, path: Path, whole: bool) -> Input:
    stat = path.stat()
    with path.open("rb") as file:
        if whole:
            digest = hashlib.file_digest(file, "sha256")
        else:
            digest = hashlib.sha256(file.read(BLOCK_BYTES))
            file.seek(max(stat.st_size - BLOCK_BYTES, 0))
            digest.update(file.read())
    return Input(table, str(path.absolute()), stat.st_size, stat.st_mtime_ns, digest.hexdigest(), whole)


def _in_memory(table: str, frame: pl.LazyFrame) -> Input:
    content = frame.collect().write_ipc(None).getvalue()
    return Input(table, "", len(content), 0, hashlib.sha256(content).hexdigest(), True)
