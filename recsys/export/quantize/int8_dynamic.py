"""Products with constant matrices in int8."""

import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from recsys.export.quantize.base import Quantization

PRODUCTS = ("MatMul", "Gemm")
SEARCH = "search/"
"""Prefix of the nodes of retriever.onnx that look for the best items."""
PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells onnxruntime that there is nothing to fuse first; it would advise that at every call."""


class Int8Dynamic(Quantization):
    """Weights of MatMul and Gemm in int8; their other factor is brought to 8 bits at each request.

    By onnxruntime's `quantize_dynamic`: a quarter of the size of these weights, with a scale per column, or one for a stack of matrices
    such as the experts of a ranker, for which onnxruntime has no product with more. Fast for rankers, which are mostly products.

    Weights lie in [-64, 64], 7 bits of the 8, so that every processor gives the same integers. Processors with AVX2 or AVX-512 but
    without VNNI add two neighbouring products in 16 bits that saturate at 32,767: 2 * 255 * 64 = 32,640 fits, 2 * 255 * 127 does not.
    Unsigned weights of 8 bits are exact too, but onnxruntime has no VNNI and no AMX product of two unsigned matrices.

    A request's numbers have one scale for their whole batch, so an answer depends on the rows that it shares a call with. The product
    with the catalogue stays in float32, and search exact: in 8 bits lists of 100 would hold .986 of the right items.
    """

    kind = "int8_dynamic"
    weights = "product with a constant matrix outside the search (MatMul, Gemm)"
    golden_tolerance = 0.01
    """Sums in another order may round one of a request's numbers to the next level."""

    def narrowed(self, model: ModelProto) -> ModelProto | None:
        """See `Quantization.narrowed`."""
        dims = {constant.name: len(constant.dims) for constant in model.graph.initializer}
        products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in dims]
        products = [node for node in products if not node.name.startswith(SEARCH)]
        if not products:
            return None
        stacks = [node.name for node in products if dims[node.input[1]] > 2]
        search = [node.name for node in model.graph.node if node.name.startswith(SEARCH)]
        narrow = _quantized(model, exclude=[*stacks, *search], per_channel=True)  # onnxruntime renames a Gemm before it chooses by name
        if stacks:
            narrow = _quantized(narrow, only=stacks, per_channel=False)
        del narrow.graph.value_info[:]  # shapes in between, which onnxruntime finds by itself
        narrow.producer_name = model.producer_name
        return narrow


def _quantized(model: ModelProto, *, only: list[str] | None = None, exclude: list[str] | None = None, per_channel: bool) -> ModelProto:
    prepared = ModelProto()
    prepared.CopyFrom(model)
    helper.set_model_props(prepared, PREPARED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "narrow.onnx"
        quantize_dynamic(
            prepared,
            path,
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_quantize=only,
            nodes_to_exclude=exclude,
            per_channel=per_channel,
            weight_type=QuantType.QInt8,
            reduce_range=True,
        )
        return onnx.load(path)
