"""Embedding tables in half precision. V rows, D dim."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from recsys.errors import Fault, IntegrityError
from recsys.export.quantize.base import Quantization
from recsys.export.quantize.tables import gather, to_float, with_tables


class Fp16Tables(Quantization):
    """Half the size, each number within 2^-11 of itself; all arithmetic stays in float32. For models that int8 costs too much.

    What is below 6e-8 becomes zero; a row of zeros, such as the padding row 0, stays exactly zero.
    """

    kind = "fp16_tables"
    weights = "embedding table of at least 64 KiB"

    def narrowed(self, model: ModelProto) -> ModelProto | None:
        """See `Quantization.narrowed`; a number beyond 65,504 has no half-precision form."""
        return with_tables(model, _narrow, _read)


def _narrow(table: str, values: np.ndarray) -> list[TensorProto]:
    largest = np.abs(values).max()
    if not largest <= np.finfo(np.float16).max:
        what = f"the table holds {largest:g}; half precision ends at {np.finfo(np.float16).max:,.0f}"
        raise IntegrityError(Fault(what, table, "choose quantize=int8_tables, whose rows have scales of their own"))
    return [numpy_helper.from_array(values.astype(np.float16), f"{table}/half")]


def _read(table: str, indices: str, rows: str) -> list[NodeProto]:
    return [gather(f"{table}/half", indices, f"{rows}/half"), to_float(f"{rows}/half", rows)]
