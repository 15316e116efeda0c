"""Which graphs are loaded: those of the bundle's own schema that need no other file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from recsys.disk import file_sha256
from recsys.serve import BundleError, Ranker, Retriever
from recsys.serve.graph import has_external_data


def external(location):
    """A tensor of one number that lies in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "4"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def inside():
    return onnx.numpy_helper.from_array(np.ones(1, np.float32), "w")


def as_initializer(graph, tensor):
    graph.initializer.append(tensor)


def as_constant(graph, tensor):
    graph.node.append(helper.make_node("Constant", [], ["w"], value=tensor))


def as_tensors(graph, tensor):
    graph.node.append(helper.make_node("Mine", [], ["w"], domain="mine", values=[tensor]))


def in_a_branch(graph, tensor):
    branch = helper.make_graph([], "branch", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])], [tensor])
    graph.node.append(helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch))


def as_sparse(graph, tensor):
    graph.sparse_initializer.add(values=tensor, indices=helper.make_tensor("at", TensorProto.INT64, [1], [0]), dims=[1])


PLACES = [as_initializer, as_constant, as_tensors, in_a_branch, as_sparse]


def model(place, tensor):
    graph = helper.make_graph([], "location", [], [])
    place(graph, tensor)
    return helper.make_model(graph)


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_it_hides(place):
    assert has_external_data(model(place, external("secret")).SerializeToString())


@pytest.mark.parametrize("place", PLACES)
def test_data_of_its_own_is_none(place):
    assert not has_external_data(model(place, inside()).SerializeToString())


@pytest.mark.parametrize("default", [False, True])
def test_external_data_in_a_function_is_found(default):
    nodes = [] if default else [helper.make_node("Constant", [], ["w"], value=external("x"))]
    defaults = [helper.make_attribute("value", external("x"))] if default else []
    function = helper.make_function("mine", "F", [], ["w"], nodes, [], attribute_protos=defaults)
    graph = helper.make_graph([], "g", [], [])
    assert has_external_data(helper.make_model(graph, functions=[function]).SerializeToString())


@pytest.mark.parametrize("content", [b"location", b"\x3a\xff\x7flocation", b"\xff" * 20 + b"location", b"\x0b\x00location"])
def test_bytes_that_are_no_protobuf_are_refused(content):
    with pytest.raises(ValueError, match="at byte"):
        has_external_data(content)


@pytest.mark.parametrize("location", ["../secret", "secret", "/{root}/secret", "./sub/../../secret"])
def test_graph_with_external_data_is_refused_before_a_session_is_made(written, tmp_path, monkeypatch, location):
    (tmp_path / "secret").write_bytes(np.float32(7).tobytes())

    def change(partial):
        graph = onnx.load(partial / "ranker.onnx")
        graph.graph.initializer.append(external(location.format(root=tmp_path)))
        (partial / "ranker.onnx").write_bytes(graph.SerializeToString())

    bundle = written(tmp_path / "bundle", ("ranker.onnx",), change)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)  # calling it would be a TypeError
    with pytest.raises(BundleError, match=r"ranker\.onnx wants data from another file"):
        Ranker(bundle)


def test_graph_of_another_run_is_refused(written, tmp_path):
    def change(partial):
        graph = onnx.load(partial / "ranker.onnx")
        helper.set_model_props(graph, {"schema_sha256": "0" * 64})
        onnx.save(graph, partial / "ranker.onnx")

    with pytest.raises(BundleError, match=r"ranker\.onnx is a graph of another run: its schema_sha256 is 0{64}, that of schema\.json"):
        Ranker(written(tmp_path / "bundle", ("ranker.onnx",), change))


def test_graph_that_does_not_say_its_vocabulary_is_refused(written, tmp_path):
    def change(partial):
        text = (partial / "schema.json").read_text()
        (partial / "schema.json").write_text(text.replace('"vocabulary_sha256": ""', '"vocabulary_sha256": "abc"', 1))
        graph = onnx.load(partial / "retriever.onnx")
        helper.set_model_props(graph, {"schema_sha256": file_sha256(partial / "schema.json")})
        onnx.save(graph, partial / "retriever.onnx")

    with pytest.raises(BundleError, match=r"retriever\.onnx is a graph of another run: its vocabulary_sha256/\w+ is missing"):
        Retriever(written(tmp_path / "bundle", ("retriever.onnx",), change))


@pytest.mark.parametrize("content", [b"", b"graph", b"\x08\x0a"])
def test_bytes_that_are_no_graph_are_refused_by_name(written, tmp_path, content):
    bundle = written(tmp_path / "bundle", ("ranker.onnx",), lambda partial: (partial / "ranker.onnx").write_bytes(content))
    with pytest.raises(BundleError, match=r"ranker\.onnx cannot be loaded by onnxruntime"):
        Ranker(bundle)


def test_onnxruntimes_own_format_is_refused_as_it_could_not_be_checked(written, bundle, tmp_path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "ranker.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(bundle / "ranker.onnx", options, providers=["CPUExecutionProvider"])
    content = (tmp_path / "ranker.ort").read_bytes()
    with pytest.raises(BundleError, match=r"ranker\.onnx cannot be loaded"):
        Ranker(written(tmp_path / "bundle", ("ranker.onnx",), lambda partial: (partial / "ranker.onnx").write_bytes(content)))
