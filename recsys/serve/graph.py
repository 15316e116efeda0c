"""A checked graph of a bundle to a session."""

import hashlib
import json
from collections.abc import Mapping

import onnxruntime

from recsys.serve.external import has_external_data
from recsys.serve.manifest import BundleError

SCHEMA = "schema.json"


def load_graph(name: str, files: Mapping[str, bytes], threads: int) -> onnxruntime.InferenceSession:
    """A session of a graph that belongs to the bundle's schema and reads no other file.

    Args:
        files: {name: content} of the bundle, checked; holds the graph and schema.json.
        threads: that one call may use.
    Raises:
        BundleError: names the graph.
    """
    try:
        external = has_external_data(files[name])
    except ValueError as error:
        raise BundleError(f"{name} is no ONNX graph: {error}; export the run again") from error
    if external:
        raise BundleError(f"{name} wants data from another file; a graph of a bundle holds all of its own: export the run again")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    options.add_session_config_entry("session.load_model_format", "ONNX")  # bytes in onnxruntime's own format would not have been checked
    try:
        session = onnxruntime.InferenceSession(files[name], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(f"{name} cannot be loaded by onnxruntime {onnxruntime.__version__}: {reason}") from error
    _check_origin(name, session.get_modelmeta().custom_metadata_map, files[SCHEMA])
    return session


def _check_origin(name: str, metadata: Mapping[str, str], schema: bytes) -> None:
    statistics = json.loads(schema).get("statistics", {})
    hashes = {f"vocabulary_sha256/{column}": facts.get("vocabulary_sha256") for column, facts in statistics.items()}
    for fact, want in {**hashes, "schema_sha256": hashlib.sha256(schema).hexdigest()}.items():
        if want and metadata.get(fact) != want:
            got = metadata.get(fact, "missing")
            raise BundleError(f"{name} is a graph of another run: its {fact} is {got}, that of {SCHEMA} {want}; export the run again")
