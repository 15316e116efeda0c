"""What depends on the user alone, computed once per user and not once per row. U = 1 or B users, B rows."""

from collections.abc import Iterable, Iterator, Mapping

from onnx import NodeProto, TensorProto, helper, numpy_helper

ELEMENTWISE = {"Abs", "Add", "Cast", "Clip", "Div", "Equal", "GreaterOrEqual", "IsNaN", "Log", "Mul", "Not", "Sign", "Sub", "Where"}
SPREAD = "/spread"


def once_per_user(
    nodes: Iterable[NodeProto], constants: Mapping[str, TensorProto], single: Mapping[str, str], at: str
) -> Iterator[NodeProto]:
    """The nodes of a graph over rows, those that read nothing but users moved to one row per user.

    A node is moved where each of its output rows comes from the same row of its inputs: arithmetic, look-ups and sums over lists. What
    the others read of a user is gathered by row in between.

    Args:
        nodes: in an order in which they can run.
        constants: by name.
        single: {name of a tensor by row: name of the same by user}.
        at: name of [B] int64, the user of each row.
    """
    single, spread = dict(single), set()
    for node in nodes:
        if _row_by_row(node, constants, single):
            moved = NodeProto()
            moved.CopyFrom(node)
            for place, name in enumerate(node.input):
                moved.input[place] = single.get(name, name)
            for place, name in enumerate(node.output):
                single[name] = moved.output[place] = f"{name}/user"
            yield moved
            continue
        for name in node.input:
            if name in single and name not in spread:
                spread.add(name)
                yield helper.make_node("Gather", [single[name], at], [name], name=f"{name}{SPREAD}", axis=0)
        yield node


def _row_by_row(node: NodeProto, constants: Mapping[str, TensorProto], single: Mapping[str, str]) -> bool:
    """Whether a node reads users and constants alone, and makes of each row one row."""
    read = [name for name in node.input if name and name not in constants]
    if not read or not all(name in single for name in read):
        return False
    fixed = [constants[name] for name in node.input if name in constants]
    if node.op_type == "Gather":  # a row of a table for each index
        return node.input[0] in constants and _attribute(node, "axis", 0) == 0
    if node.op_type == "Unsqueeze":
        return 0 not in numpy_helper.to_array(fixed[0])
    if node.op_type == "ReduceSum":
        return len(fixed) == 1 and all(axis > 0 for axis in numpy_helper.to_array(fixed[0]).tolist())
    return node.op_type in ELEMENTWISE and all(len(constant.dims) <= 1 for constant in fixed)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)
