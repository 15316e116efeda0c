"""A checked graph of a bundle, loaded.

onnxruntime given bytes would read tensors from files in the working directory, and run loops without end. A bundle's graph has neither;
its bytes are searched for them here, as a server has no onnx package.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from recsys.serve.manifest import BundleError
from recsys.serve.operators import OPERATORS

SCHEMA = "schema.json"
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
OP_TYPE, DOMAIN, FUNCTION_NAME = 4, 7, 1
"""Fields of a node, and of a function."""


class Graph:
    """A graph of a bundle, loaded.

    Args:
        name: of the file.
        session: of its content.
    """

    def __init__(self, name: str, session: onnxruntime.InferenceSession):
        self.name, self.session = name, session

    def run(self, outputs: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[Any]:
        """One array per output; a BundleError names the graph where onnxruntime cannot compute it for arrays that were checked."""
        try:
            return self.session.run(list(outputs), dict(feed))
        except Exception as error:  # onnxruntime's exceptions have no common class
            raise BundleError(f"{self.name} cannot be run by onnxruntime {onnxruntime.__version__}: {_reason(error)}") from error


def load_graph(name: str, files: Mapping[str, bytes], threads: int) -> Graph:
    """A graph that belongs to the bundle's schema, reads no other file, and holds only `OPERATORS`.

    Args:
        files: {name: content} of the bundle, checked; holds the graph and schema.json.
        threads: that one call may use.
    Raises:
        BundleError: names the graph.
    """
    try:
        external, operator = has_external_data(files[name]), foreign_operator(files[name])
    except ValueError as error:
        raise BundleError(f"{name} is no ONNX graph: {error}; export the run again") from error
    if external:
        raise BundleError(f"{name} wants data from another file; a graph of a bundle holds all of its own: export the run again")
    if operator:
        raise BundleError(
            f"{name} holds the operator {operator}, which no export writes and this server does not run; export the run again"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    options.add_session_config_entry("session.load_model_format", "ONNX")  # bytes in onnxruntime's own format would not have been checked
    try:
        session = onnxruntime.InferenceSession(files[name], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common class
        raise BundleError(f"{name} cannot be loaded by onnxruntime {onnxruntime.__version__}: {_reason(error)}") from error
    _check_origin(name, session.get_modelmeta().custom_metadata_map, files[SCHEMA])
    return Graph(name, session)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_origin(name: str, metadata: Mapping[str, str], schema: bytes) -> None:
    statistics = json.loads(schema).get("statistics", {})
    hashes = {f"vocabulary_sha256/{column}": facts.get("vocabulary_sha256") for column, facts in statistics.items()}
    for fact, want in {**hashes, "schema_sha256": hashlib.sha256(schema).hexdigest()}.items():
        if want and metadata.get(fact) != want:
            got = metadata.get(fact, "missing")
            raise BundleError(f"{name} is a graph of another run: its {fact} is {got}, that of {SCHEMA} {want}; export the run again")


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


def foreign_operator(content: bytes) -> str:
    """An operator of an ONNX file that is none of `OPERATORS`, as domain::name, or a function that the file defines; "" where none is.

    Attributes are not searched, where a large vocabulary stands: the operators that take a graph as an attribute are none of `OPERATORS`.
    A ValueError where the bytes are no protobuf.
    """
    pending = [("model", 0, len(content))]
    while pending:
        message, start, end = pending.pop()
        for number, value in _fields(content, start, end):
            inside = HOLDS[message].get(number)
            if not isinstance(value, slice) or inside not in ("graph", "training", "function", "node"):
                continue
            if inside == "function":
                return f"{_texts(content, value).get(FUNCTION_NAME, '')} (a function of its own)"
            if inside != "node":
                pending.append((inside, value.start, value.stop))
                continue
            texts = _texts(content, value)
            domain, name = texts.get(DOMAIN, ""), texts.get(OP_TYPE, "")
            if name not in OPERATORS.get("" if domain == "ai.onnx" else domain, ()):
                return f"{domain or 'ai.onnx'}::{name}"
    return ""


def _texts(content: bytes, message: slice) -> dict[int, str]:
    """{field number: text} of a node's or function's name and domain; of a field that stands twice, the last counts, as for protobuf."""
    fields = _fields(content, message.start, message.stop)
    numbers = (FUNCTION_NAME, OP_TYPE, DOMAIN)
    return {
        number: content[value].decode(errors="replace")[:100] for number, value in fields if number in numbers and isinstance(value, slice)
    }


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
