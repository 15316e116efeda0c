"""Reads back what Weights & Biases wrote to disk, without the code under test: LevelDB log records around protocol buffers."""

from wandb.proto.wandb_internal_pb2 import Record


def records(path):
    """Every record of a .wandb file: blocks of 32 KiB after a header of 7 bytes; a frame is crc (4), length (2), type (1), content."""
    data, at, content = path.read_bytes(), 7, b""
    while at < len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        content += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(content)
            content = b""


def of_run(run, kind):
    """The records of one kind in all files of a run directory, oldest file first."""
    files = sorted(run.glob("wandb/*run-*/*.wandb"))
    return [getattr(record, kind) for path in files for record in records(path) if record.WhichOneof("record_type") == kind]
