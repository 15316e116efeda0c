"""Embedding tables of a graph: float32 matrices of which nothing but rows is read. V rows, D dim."""

import math
from collections.abc import Callable

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

MIN_BYTES = 65_536
"""Smaller tables stay in float32: a narrow one costs one to three nodes more at every request. On the simulated shop the four smallest of
the retriever's save 7 KB of 3.5 MB, and cost 4 % of a request's 0.12 ms."""
Narrow = Callable[[str, np.ndarray], list[TensorProto]]
"""(name, values [V, D] float32) -> the constants that stand for a table."""
Read = Callable[[str, str, str], list[NodeProto]]
"""(name of the table, of the indices [...], of the rows [..., D] float32) -> the nodes that read it."""


def with_tables(model: ModelProto, narrow: Narrow, read: Read) -> ModelProto | None:
    """A graph whose tables are stored and read otherwise; None where it has no table of at least MIN_BYTES.

    A table of several readers, such as the items' under a history, stays one table. What an operator reads as a whole stays as it is.
    """
    graph = model.graph
    by_row = {node.input[0] for node in graph.node if _reads_rows(node)}
    by_other = {name for node in graph.node for name in (node.input[1:] if _reads_rows(node) else node.input)}
    by_row -= by_other | {value.name for value in graph.output}
    tables = {constant.name for constant in graph.initializer if constant.name in by_row and _is_large_matrix(constant)}
    if not tables:
        return None
    result = ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    for constant in graph.initializer:
        result.graph.initializer.extend(narrow(constant.name, numpy_helper.to_array(constant)) if constant.name in tables else [constant])
    for node in graph.node:
        reads_table = node.op_type == "Gather" and node.input[0] in tables
        result.graph.node.extend(read(node.input[0], node.input[1], node.output[0]) if reads_table else [node])
    return result


def _reads_rows(node: NodeProto) -> bool:
    """Whether the first input of a node is read row by row."""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return node.op_type == "Gather" and axis == 0


def _is_large_matrix(constant: TensorProto) -> bool:
    return constant.data_type == TensorProto.FLOAT and len(constant.dims) == 2 and 4 * math.prod(constant.dims) >= MIN_BYTES


def gather(table: str, indices: str, rows: str) -> NodeProto:
    """Rows of a table by index."""
    return helper.make_node("Gather", [table, indices], [rows], name=rows, axis=0)


def to_float(narrow: str, values: str) -> NodeProto:
    """Values of any type as float32."""
    return helper.make_node("Cast", [narrow], [values], name=values, to=TensorProto.FLOAT)
