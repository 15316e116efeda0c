"""What a run takes from the hardware: its threads, and the precision of its products; a trainer with that precision."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from pytorch_lightning import Trainer

from recsys.config import build
from recsys.machine import CPUINFO, FIRST_CAPABILITY, cpu_facts, cpu_name, is_bf16_fast_on_cpu, thread_facts, thread_line

AUTO, FAST, EXACT = "auto", "bf16-mixed", "32-true"
GPUS = ("auto", "gpu", "cuda")
"""Accelerators that are a CUDA GPU where one is there."""


def build_trainer(node: Mapping[str, Any]) -> Callable[..., Trainer]:
    """Lightning's trainer of `config.trainer`, without the arguments that the program adds."""
    return build({**node, "precision": precision_facts(node)["precision"]})


def hardware_facts(node: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Record of what was chosen for this machine, for lineage: {"threads": {...}, "precision": {...}}."""
    return {"threads": thread_facts(torch.get_num_threads()), "precision": precision_facts(node)}


def precision_facts(node: Mapping[str, Any]) -> dict[str, Any]:
    """Precision of `config.trainer`, "auto" resolved; whether bfloat16 is fast on its processor, and the processor's name."""
    precision, (processor, is_fast) = node.get("precision", EXACT), _bf16(node["accelerator"])
    auto = precision == AUTO
    chosen = (FAST if is_fast else EXACT) if auto else precision
    return {"precision": chosen, "auto": auto, "processor": processor, "bf16_is_fast": is_fast}


def hardware_lines(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Sentences for the terminal on what `hardware_facts` holds."""
    yield thread_line(facts["threads"])
    found = facts["precision"]
    if found["auto"]:
        speed = "fast" if found["bf16_is_fast"] else "slow"
        yield f"precision: {found['precision']}, bfloat16 is {speed} on {found['processor']}; trainer.precision=... overrides it"
    elif str(found["precision"]).startswith("bf16") and not found["bf16_is_fast"]:
        what = f"trainer.precision={found['precision']} can take up to 90 times as long as 32-true on {found['processor']}"
        yield f"warning: {what}, which has no instructions for bfloat16; use trainer.precision=auto"


def _bf16(accelerator: str) -> tuple[str, bool]:
    """Name of the processor that an accelerator stands for, and whether bfloat16 is fast there."""
    if accelerator in GPUS and torch.cuda.is_available():
        devices = range(torch.cuda.device_count())
        return torch.cuda.get_device_name(0), all(torch.cuda.get_device_capability(device) >= FIRST_CAPABILITY for device in devices)
    if accelerator in ("auto", "cpu"):
        return cpu_name(cpu_facts(CPUINFO)), is_bf16_fast_on_cpu()
    return accelerator, False
