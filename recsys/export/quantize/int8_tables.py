"""Embedding tables as int8 rows, each with a scale of its own. V rows, D dim."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from recsys.export.quantize.base import Quantization
from recsys.export.quantize.tables import gather, to_float, with_tables

LEVELS = 127
"""The row's largest magnitude; -128 is not used, so that a value and its negative round alike."""


class Int8Tables(Quantization):
    """row = scale * integers, scale = max |row| / 127: a quarter of the size, and each number within half a scale of what it was.

    Guan et al., 2019 (post-training 4-bit quantization on embedding tables) show why the scale is the row's: one of the whole table is
    set by its largest row, and rows of rare ids are small. For models whose size is their tables. The catalogue's vectors in
    retriever.onnx are no table, as a product reads them whole: they stay in float32, and search stays exact.

    A row of zeros, such as the padding row 0, stays exactly zero.
    """

    kind = "int8_tables"
    weights = "embedding table of at least 64 KiB"

    def narrowed(self, model: ModelProto) -> ModelProto | None:
        """See `Quantization.narrowed`."""
        return with_tables(model, _narrow, _read)


def row_scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The integers [V, D] int8 and scales [V, 1] float32 of a table [V, D] float32.

    Example:
        >>> integers, scales = row_scales(np.array([[0.0, 0.0], [31.75, -16.0]], dtype=np.float32))
        >>> integers.tolist(), scales.tolist()
        ([[0, 0], [127, -64]], [[0.0], [0.25]])
    """
    scales = np.abs(values).max(1, keepdims=True) / np.float32(LEVELS)
    integers = np.divide(values, scales, out=np.zeros_like(values), where=scales > 0)
    return np.rint(integers).clip(-LEVELS, LEVELS).astype(np.int8), scales


def _narrow(table: str, values: np.ndarray) -> list[TensorProto]:
    integers, scales = row_scales(values)
    return [numpy_helper.from_array(integers, f"{table}/int8"), numpy_helper.from_array(scales, f"{table}/scale")]


def _read(table: str, indices: str, rows: str) -> list[NodeProto]:
    return [
        gather(f"{table}/int8", indices, f"{rows}/int8"),
        to_float(f"{rows}/int8", f"{rows}/integers"),
        gather(f"{table}/scale", indices, f"{rows}/scale"),  # [..., 1]
        helper.make_node("Mul", [f"{rows}/integers", f"{rows}/scale"], [rows], name=rows),
    ]
