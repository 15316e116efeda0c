"""What the files of Weights & Biases in a run directory hold, read without it: log records of LevelDB around protocol buffers."""

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

HEADER_BYTES, BLOCK_BYTES = 7, 32_768
FRAME = struct.Struct("<IHB")
"""Before each piece: crc32 of its type and content, length, type."""
WHOLE, FIRST, LAST = 1, 2, 4
STEP = "trainer/step"
"""The axis of every metric."""


def records(path: Path) -> Iterator[Record]:
    """Records of a file, up to its end or to where a killed process left it torn, which the checksum tells."""
    content, at, parts = path.read_bytes(), HEADER_BYTES, b""
    while at + FRAME.size <= len(content):
        room = BLOCK_BYTES - at % BLOCK_BYTES
        if room < FRAME.size:
            at += room
            continue
        crc, length, kind = FRAME.unpack_from(content, at)
        piece = content[at + FRAME.size : at + FRAME.size + length]
        if kind == 0 or zlib.crc32(bytes([kind]) + piece) != crc:
            return
        at += FRAME.size + length
        parts = piece if kind in (WHOLE, FIRST) else parts + piece
        if kind in (WHOLE, LAST):
            yield Record.FromString(parts)


def rows(run: Path, own: str) -> dict[int, dict[str, float]]:
    """{W&B's step: row of history} that all files of a run directory hold of the run with this id, without W&B's own values.

    A row of a report, which holds tables and drawings, is empty here.
    """
    found: dict[int, dict[str, float]] = {}
    for path in sorted(run.glob(f"wandb/*/run-{own}.wandb")):
        for record in records(path):
            if record.WhichOneof("record_type") == "history":
                values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                kept = {key: json.loads(value) for key, value in values.items() if not key.startswith("_")}
                is_report = any(isinstance(value, str | dict) for value in kept.values())
                found[record.history.step.num] = {} if is_report else kept
    return found
