"""The processor that this process runs on, as far as the arithmetic of graphs depends on it."""

import platform
from collections.abc import Mapping
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
"""Instructions by which onnxruntime chooses its products of 8-bit integers, as Linux names them."""


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict:
    """Model name and those of `FLAGS` that the processor has: {"model": str, "flags": [str]}; no flags where no such file exists."""
    try:
        lines = cpuinfo.read_text().partition("\n\n")[0].splitlines()  # of the first core
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    model = facts.get("model name") or platform.processor() or platform.machine()
    return {"model": model, "flags": [flag for flag in FLAGS if flag in flags]}


def processor_words(facts: Mapping) -> str:
    """A processor in one line: `AMD EPYC (avx2)`."""
    return f"{facts['model']} ({', '.join(facts['flags']) or 'none of ' + ', '.join(FLAGS)})"
