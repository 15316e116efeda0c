"""Whether an ONNX file wants tensors from other files, read from its bytes without the onnx package.

onnxruntime given bytes refuses paths that leave the working directory, but reads those inside it; a bundle's graph has none at all.
"""

from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types of protobuf."""
HOLDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""{message: {field number: message}} of onnx.proto, as far as a tensor can hide there."""
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a tensor."""


def has_external_data(content: bytes) -> bool:
    """Whether any tensor of an ONNX file lies in another file. A ValueError where the bytes are no protobuf."""
    if b"location" not in content:  # the key that names the other file; a large vocabulary is not read field by field
        return False
    pending = [("model", 0, len(content))]
    while pending:
        message, start, end = pending.pop()
        for number, value in _fields(content, start, end):
            if message == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
                return True
            if number in HOLDS[message] and isinstance(value, slice):
                pending.append((HOLDS[message][number], value.start, value.stop))
    return False


def _fields(content: bytes, at: int, end: int) -> Iterator[tuple[int, int | slice]]:
    """Number and value of every field of a message; where its bytes are, of a field with a length."""
    while at < end:
        tag, at = _varint(content, at, end)
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(content, at, end)
            yield tag >> 3, value
            continue
        if wire == LENGTH:
            size, at = _varint(content, at, end)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > end:
            raise ValueError(f"a field that ends behind its message, at byte {at}")
        yield tag >> 3, slice(at, at + size)
        at += size


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError(f"a number that ends behind its message, at byte {at}")
        value |= (content[at] & 127) << shift
        at += 1
        if content[at - 1] < 128:
            return value, at
    raise ValueError(f"a number of more than ten bytes, at byte {at}")
