import pytest
import torch

from recsys.run.energy import Energy


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
