"""The precision that a processor is given, and what is said of it."""

import json

import pytest
import torch
import yaml

from recsys import machine
from recsys.config.files import PACKAGE
from recsys.run import hardware
from recsys.run.hardware import build_trainer, hardware_facts, hardware_lines, precision_facts
from recsys.run.lineage import write_lineage

CONF = PACKAGE.parent / "conf"


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """Gives this machine another processor, with these flags."""

    def have(flags):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n")
        monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
        monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")

    return have


@pytest.fixture
def gpu(monkeypatch):
    """Gives this machine one GPU of a compute capability."""

    def have(*capability):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return have


def node(precision, accelerator="cpu"):
    return {"accelerator": accelerator, "precision": precision}


@pytest.mark.parametrize(("flags", "precision"), [("avx2 fma", "32-true"), ("avx2 amx_bf16", "bf16-mixed"), ("avx512_bf16", "bf16-mixed")])
def test_auto_follows_the_processor(cpu, flags, precision):
    cpu(flags)
    facts = precision_facts(node("auto"))
    assert (facts["precision"], facts["auto"], facts["processor"]) == (precision, True, "Some CPU")
    (_, line) = hardware_lines({**hardware_facts(node("auto")), "precision": facts})
    assert precision in line
    assert "Some CPU" in line
    assert "trainer.precision=" in line


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")])
@pytest.mark.parametrize("accelerator", ["gpu", "auto"])
def test_auto_follows_the_gpu(cpu, gpu, accelerator, capability, precision):
    cpu("amx_bf16")
    gpu(*capability)
    assert precision_facts(node("auto", accelerator))["precision"] == precision


def test_processor_counts_where_a_gpu_stands_idle(cpu, gpu):
    cpu("avx2")
    gpu(9, 0)
    assert precision_facts(node("auto", "cpu"))["precision"] == "32-true"


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "bf16"])
def test_slow_precision_is_warned_about(cpu, precision):
    cpu("avx2")
    facts = hardware_facts(node(precision))
    assert facts["precision"]["precision"] == precision  # the user's word
    (_, line) = hardware_lines(facts)
    assert all(word in line for word in ("warning", precision, "Some CPU", "trainer.precision=auto"))


@pytest.mark.parametrize(("flags", "precision"), [("avx2", "32-true"), ("avx2", 32), ("amx_bf16", "bf16-mixed")])
def test_nothing_is_said_of_a_precision_that_suits(cpu, flags, precision):
    cpu(flags)
    assert len(list(hardware_lines(hardware_facts(node(precision))))) == 1  # the threads


@pytest.mark.parametrize(("flags", "dtype"), [("avx2", torch.float32), ("amx_bf16", torch.bfloat16)])
def test_trainer_multiplies_in_that_precision(cpu, tmp_path, flags, dtype):
    cpu(flags)
    trainer = build_trainer({"_target_": "pytorch_lightning.Trainer", "_partial_": True, **node("auto")})
    trainer = trainer(logger=False, default_root_dir=tmp_path, enable_checkpointing=False)
    with trainer.precision_plugin.forward_context():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_lineage_records_threads_and_precision(cpu, tmp_path):
    cpu("avx2")
    write_lineage(tmp_path / "lineage.json", store=tmp_path / "store", hardware=hardware_facts(node("auto")))
    found = json.loads((tmp_path / "lineage.json").read_text())
    assert found["precision"] == {"precision": "32-true", "auto": True, "processor": "Some CPU", "bf16_is_fast": False}
    assert found["threads"]["threads"] == torch.get_num_threads()


def test_recipes_ask_the_hardware():
    for name in ("experiment/movielens", "experiment/yelp2018", "trainer/gpu"):
        text = yaml.safe_load((CONF / f"{name}.yaml").read_text())
        assert text.get("trainer", text)["precision"] == "auto", name
