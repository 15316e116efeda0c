import json
import time

import pytest
import torch
from pytorch_lightning import Callback

from recsys.batch import Batch
from recsys.run.cost import Cost, Energy


class Slow(Callback):
    """A validation that takes a while."""

    def on_validation_epoch_end(self, trainer, pl_module):
        time.sleep(0.2)


def saved(cost, folder, baselines_s=0.0):
    cost.save(folder / "cost.json", baselines_s=baselines_s)
    return json.loads((folder / "cost.json").read_text())


@pytest.fixture
def counted(monkeypatch):
    """Rows of the tiny module's batches, which are item numbers alone."""
    monkeypatch.setattr("recsys.run.cost.rows_seen", lambda batch: torch.tensor(len(batch)))


def test_validation_is_no_part_of_fitting(fit, tmp_path, counted):
    cost = Cost()
    fit(cost, Slow(), scores=(0.1, 0.2))
    seconds = saved(cost, tmp_path)["seconds"]
    assert 0.4 <= seconds["evaluate"] < 0.6
    assert 0 < seconds["fit"] < 0.4
    assert seconds["total"] == pytest.approx(sum(value for name, value in seconds.items() if name != "total"))


def test_rows_are_those_that_the_loss_saw(fit, tmp_path, counted):
    cost = Cost()
    fit(cost, scores=(0.1, 0.2), steps=3)
    found = saved(cost, tmp_path)
    assert found["rows"] == 2 * 3 * 3
    assert found["rows_per_s"] == pytest.approx(18 / found["seconds"]["fit"])


def test_padding_is_no_row():
    cost = Cost()
    cost.looked = time.monotonic()
    batch = Batch({}, {}, weight=torch.tensor([1.0, 0.0, 1.0]), user=torch.ones(3), item=torch.tensor([4, 4, 0]))
    cost.on_train_batch_end(None, None, {}, batch, 0)
    assert int(cost.rows) == 1


def test_fitting_baselines_is_no_part_of_the_test(tmp_path):
    cost = Cost()
    cost.on_test_start(None, None)
    time.sleep(0.05)
    cost.on_test_end(None, None)
    seconds = saved(cost, tmp_path, baselines_s=0.04)["seconds"]
    assert seconds["baselines"] == 0.04
    assert 0.01 <= seconds["test"] < 0.04


def test_a_stage_counts_what_happens_inside(tmp_path):
    cost = Cost()
    with cost.stage("prepare"):
        time.sleep(0.03)
    assert 0.03 <= saved(cost, tmp_path)["seconds"]["prepare"] < 0.1


def test_memory_is_counted_in_bytes(tmp_path):
    assert 50e6 < saved(Cost(), tmp_path)["peak_memory_bytes"] < 1e11


@pytest.fixture
def zone(tmp_path):
    """A package whose counter starts anew at 5,000,000 microjoules; one of its parts, and one that may not be read, beside it."""
    package, part, closed = (tmp_path / name for name in ("intel-rapl:0", "intel-rapl:0:1", "intel-rapl:1"))
    for folder, value in ((package, "1000000"), (part, "7"), (closed, "")):
        folder.mkdir()
        (folder / "energy_uj").write_text(value)
    (package / "max_energy_range_uj").write_text("5000000")
    return package


def test_packages_are_counted_without_their_parts(zone):
    energy = Energy(zone.parent)
    (zone / "energy_uj").write_text("3500000")
    (zone.parent / "intel-rapl:0:1" / "energy_uj").write_text("4000000")
    assert energy.joules() == {"cpu": 2.5}


def test_a_counter_that_starts_anew_goes_on(zone):
    energy = Energy(zone.parent)
    (zone / "energy_uj").write_text("4900000")
    energy.look()
    (zone / "energy_uj").write_text("100000")
    assert energy.joules() == {"cpu": pytest.approx(4.1)}  # 3.9 before, 0.1 + 0.1 around the end


def test_a_machine_without_counters_tells_nothing(tmp_path):
    energy = Energy(tmp_path)
    energy.watch(torch.device("cpu"))
    assert energy.joules() == {}


@pytest.mark.gpu
def test_a_gpu_tells_what_it_uses():
    energy = Energy()
    energy.watch(torch.device("cuda", 0))
    values = torch.randn(4096, 4096, device="cuda")
    for _ in range(2000):
        values = (values @ values).clamp(-1, 1)
    torch.cuda.synchronize()
    assert energy.joules()["gpu"] > 1
