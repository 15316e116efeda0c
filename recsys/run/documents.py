"""Shapes of JSON files of a run directory, as `recsys.disk.records.require_shape` holds a file against them."""

from typing import Any

NUMBER = (int, float)
DATA_SHAPE: dict[Any, Any] = {
    "name": str,
    "store": str,
    "inputs": [{"table": str, "file": str, "size": int, "sha256": str, "whole": bool}],
    "counts": {"rows": int, str: int},
    "split": {"training": {"rows": int, "positives": int, str: int}, "test": {"rows": int, str: int}, str: {str: int}},
    "dates": ([str], None),
    "boundaries": ({"val": str, "test": str, "end": str}, None),
    "notes": [str],
    "test": {"user": (str, type(None)), "rows": int, "items": int, "sha256": str},
}
"""Shape of data.json: what was prepared, how it was divided, and the test that was asked."""
COST_SHAPE: dict[Any, Any] = {
    "seconds": {"fit": NUMBER, "total": NUMBER, str: NUMBER},
    "rows": int,
    "rows_per_s": (NUMBER, None),
    "processes": int,
    "peak_memory_bytes": int,
    "peak_gpu_memory_bytes": (int, None),
    "energy_joules": {str: NUMBER},
}
"""Shape of cost.json: seconds, rows, bytes and joules of a run."""
LOGGED_SHAPE: dict[Any, Any] = {"step": int, str: (NUMBER, None)}
"""Shape of one line of metrics.jsonl: its step, and numbers by name; null where a value is not finite."""
