"""ONNX files of a few nodes, for tests that need a graph and no model."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def save(path, nodes, constants, inputs, outputs):
    """Write a graph; inputs and outputs are {name: (element type, shape)}, constants {name: array}."""
    infos = [[helper.make_tensor_value_info(name, *kind) for name, kind in values.items()] for values in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *infos, [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()])
    path.parent.mkdir(exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
