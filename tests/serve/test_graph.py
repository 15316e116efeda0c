"""Which graphs are loaded: those of the bundle's own schema that need no other file."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from recsys.disk import file_sha256
from recsys.serve import BundleError, Ranker, Retriever
from recsys.serve.graph import foreign_operator, has_external_data


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
    with pytest.raises(BundleError, match=r"ranker\.onnx (is no ONNX graph|cannot be loaded by onnxruntime)"):
        Ranker(bundle)


def test_onnxruntimes_own_format_is_refused_as_it_could_not_be_checked(written, bundle, tmp_path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "ranker.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(bundle / "ranker.onnx", options, providers=["CPUExecutionProvider"])
    content = (tmp_path / "ranker.ort").read_bytes()
    with pytest.raises(BundleError, match=r"ranker\.onnx (is no ONNX graph|cannot be loaded)"):
        Ranker(written(tmp_path / "bundle", ("ranker.onnx",), lambda partial: (partial / "ranker.onnx").write_bytes(content)))


def node(op_type, domain="", **attributes):
    return helper.make_node(op_type, ["x"], ["y"], domain=domain, **attributes)


def graph_of(*nodes):
    return helper.make_graph(nodes, "g", [], [])


FOREIGN = {
    "ai.onnx::Loop": graph_of(node("Relu"), node("Loop", body=graph_of(node("Relu")))),
    "ai.onnx::If": graph_of(node("If", then_branch=graph_of(node("Loop")), else_branch=graph_of(node("Relu")))),
    "ai.onnx::Scan": graph_of(node("Scan", domain="ai.onnx", body=graph_of())),
    "ai.onnx::RandomNormalLike": graph_of(node("RandomNormalLike")),
    "com.microsoft::Tokenizer": graph_of(node("Tokenizer", domain="com.microsoft")),
    "mine::Relu": graph_of(node("Relu", domain="mine")),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_operator_that_no_export_writes_is_named(name):
    assert foreign_operator(helper.make_model(FOREIGN[name]).SerializeToString()) == name


def test_loop_in_a_function_or_in_training_is_refused_too():
    function = helper.make_function("", "Relu", ["x"], ["y"], [node("Loop")], [])
    called = helper.make_model(graph_of(node("Relu")), functions=[function]).SerializeToString()
    assert foreign_operator(called) == "Relu (a function of its own)"
    trained = helper.make_model(graph_of(node("Relu")))
    trained.training_info.add(algorithm=graph_of(node("Loop")))
    assert foreign_operator(trained.SerializeToString()) == "ai.onnx::Loop"


def test_second_spelling_of_a_name_counts_as_protobuf_reads_it():
    """An operator whose name stands twice in the file, and a second graph that protobuf merges with the first."""
    twice = node("Relu").SerializeToString() + onnx.NodeProto(op_type="Loop").SerializeToString()
    content = onnx.GraphProto().SerializeToString() + b"\x0a" + bytes([len(twice)]) + twice  # field 1 of the graph
    merged = helper.make_model(graph_of(node("Relu"))).SerializeToString() + b"\x3a" + bytes([len(content)]) + content
    assert [each.op_type for each in onnx.ModelProto.FromString(merged).graph.node] == ["Relu", "Loop"]
    assert foreign_operator(merged) == "ai.onnx::Loop"


def test_graph_that_would_loop_without_end_is_refused_when_the_bundle_opens(written, tmp_path):
    def change(partial):
        graph = onnx.load(partial / "ranker.onnx")
        body = helper.make_graph(
            [helper.make_node("Identity", ["on"], ["still_on"])],
            "body",
            [helper.make_tensor_value_info("number", TensorProto.INT64, []), helper.make_tensor_value_info("on", TensorProto.BOOL, [])],
            [helper.make_tensor_value_info("still_on", TensorProto.BOOL, [])],
        )
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(2**62), "times"))
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "begin"))
        graph.graph.node.append(helper.make_node("Loop", ["times", "begin"], [], body=body))
        onnx.save(graph, partial / "ranker.onnx")

    with pytest.raises(BundleError, match=r"ranker\.onnx holds the operator ai\.onnx::Loop"):
        Ranker(written(tmp_path / "bundle", ("ranker.onnx",), change))


def test_what_onnxruntime_cannot_run_is_a_bundle_error(written, tmp_path):
    """A product whose widths fit only in name: the shape is not known before the graph runs."""

    def change(partial):
        graph = onnx.load(partial / "ranker.onnx")
        label = graph.graph.output[0].name
        last = next(each for each in graph.graph.node if label in each.output)
        last.output[:] = [f"{label}/before" if name == label else name for name in last.output]
        graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-7], np.int64), "wrong"))
        graph.graph.node.append(helper.make_node("Reshape", [f"{label}/before", "wrong"], [label]))
        onnx.save(graph, partial / "ranker.onnx")

    with pytest.raises(BundleError, match=r"ranker\.onnx cannot be (run|loaded) by onnxruntime"):
        Ranker(written(tmp_path / "bundle", ("ranker.onnx",), change))
