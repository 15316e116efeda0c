"""Every target of the benchmarks, tiny: what is measured is measured, and the table is filled."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys.errors import ConfigError

HOME = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(HOME)


@pytest.fixture
def tables(capsys):
    """Runs a target and reads its tables, notes and all: of each {first cell of a row: numbers in the row}."""

    def run(target, *arguments):
        importlib.import_module(f"benchmarks.{target}").main([*map(str, arguments)])
        found = []
        for line in capsys.readouterr().out.splitlines():
            if line.startswith("───"):
                found.append({})
            elif found and line.strip():
                name, *others = re.split(r"\s{2,}", line.strip())
                found[-1][name] = [float(number.replace(",", "")) for cell in others for number in re.findall(r"\d[\d,.]*", cell)]
        return found

    return run


@pytest.fixture
def table(tables):
    """The first table of a target."""
    return lambda *arguments: tables(*arguments)[0]


def test_help_lists_every_target():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=HOME, capture_output=True, text=True)
    files = {path.stem for path in (HOME / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text()} - {"__main__"}
    listed = dict(re.findall(r"^  (\w+)  +(\S.*)$", done.stdout.partition("targets:")[2], re.MULTILINE))
    assert set(listed) == files
    assert {"training", "serving", "kills"} < files


def test_unknown_target_ends_with_2(forked):
    done = forked("-m", "benchmarks", "trainning", cwd=HOME)
    assert done.returncode == 2
    assert "full_ranking" in done.stderr


def test_machine(table, monkeypatch):
    monkeypatch.setattr("benchmarks.machine.SECONDS", 0.01)
    figures = table("machine", "--size", 64, "--device", "cpu")
    assert len(figures) == 4
    assert all(len(numbers) >= 1 for numbers in figures.values())
    machine, cpu = importlib.import_module("benchmarks.machine"), torch.device("cpu")
    rates = [machine.product_rate(torch.float32, cpu, 64), machine.copy_rate(cpu, 4096), machine.softmax_rate(cpu, 64)]
    assert min(rates) > 0  # before they are rounded for the table


def test_prepare(table, tmp_path):
    figures = table("prepare", "--rows", 2000, "--folder", tmp_path)
    seconds, rows_per_s, peak_gib = figures["prepared"]
    assert rows_per_s == pytest.approx(2000 / seconds, rel=1)  # seconds are printed with one decimal
    assert 0.05 < peak_gib < 4
    assert figures["prepared / read"][0] > 1
    assert "opened again, no file touched" in figures
    assert {path.name[:5] for path in tmp_path.iterdir()} == {"shop-"}  # the store is gone, the shop stays


def test_full_ranking(table):
    figures = table("full_ranking", "--users", 300, "--items", 500, "--known", 3000)
    (product_s, one), (lists_s, ratio, _), (evaluation_s, to_product, _) = list(figures.values())[:3]
    assert one == 1.0
    for seconds, times in ((lists_s, ratio), (evaluation_s, to_product)):  # of seconds with two decimals
        assert (seconds - 0.01) / (product_s + 0.01) - 0.1 <= times <= (seconds + 0.01) / max(product_s - 0.01, 1e-4) + 0.1


FLOAT32 = "trainer.precision=32-true"
"""A processor without AMX takes a hundred times as long in bfloat16, the precision of these targets."""


def test_sequence_epoch(table, monkeypatch):
    monkeypatch.setattr("benchmarks.machine.SECONDS", 0.01)
    small = ("model.dim=8", "model.embedding_dim=8")
    short = ("--rows", 600, "--epochs", 1, "--plain-steps", 1)
    figures = table("sequence_epoch", *short, "data.features.0.max_len=40", "data.max_unknown_share=1", FLOAT32, *small)
    shares = [figures[phase][1] for phase in ("batch", "towers", "loss", "backward", "optimizer")]
    assert sum(shares) == pytest.approx(100, abs=4)
    assert min(shares[1:4]) > 0
    assert min(figures["epoch"]) > 0
    assert figures["plain loop / epoch"][0] == pytest.approx(figures["plain loop"][0] / figures["epoch"][0], abs=0.5)
    assert min(figures["epoch / limit"] + figures["limit of the loss"][:1]) > 0


@pytest.mark.slow
def test_serving(tables, monkeypatch):
    monkeypatch.setenv("CXX", "no such compiler")  # compiling takes longer than all else
    pytest.importorskip("faiss")
    by_size, ranker = tables("serving", "--items", 300, "--index-items", 300, "--requests", 5)
    for figures, first in ((by_size, "300"), (ranker, "200")):
        graph_ms, graph_p99, ratio = figures[first]
        assert 0 < graph_ms <= graph_p99
        assert ratio == pytest.approx(graph_ms / figures["torch"][0], rel=0.1)
        assert figures["torch"][2] == 1.0
        assert "compiled" not in figures
        assert any("needs a C++ compiler" in name for name in figures)
    assert 0.9 < by_size["hnsw"][3] <= 1
    assert len(by_size["recommend"]) == len(ranker["predict"]) == 3


def test_serving_without_an_index(table, monkeypatch):
    monkeypatch.setenv("CXX", "no such compiler")
    monkeypatch.setattr("benchmarks.serving.ranked", lambda number: [])
    assert "hnsw" not in table("serving", "--items", 300, "--index-items", "--requests", 2)


@pytest.mark.slow
def test_requests(table):
    figures = table("requests", "--number", 1000)
    for way in (f"{task} {size} x {threads}" for task in ("retriever", "ranker") for size in (1, 7, 64, 1024) for threads in (1, 2)):
        number, apart, exponent, *lists, errors, _ = figures[way]
        assert 0 <= apart < 10
        assert exponent in range(6, 10)
        assert errors == 0
        assert sum(lists) == (number if way.startswith("retriever") else 0)
    assert sum(numbers[0] for way, numbers in figures.items() if " x " in way) == pytest.approx(1000, abs=100)


@pytest.mark.slow
def test_requests_find_what_is_answered_otherwise_than_by_torch(table, monkeypatch):
    requests = importlib.import_module("benchmarks.requests")
    written = requests.written

    def changed_since(pools, folder):
        sessions = written(pools, folder)
        with torch.no_grad():
            for parameter in (*pools.retriever.model.parameters(), *pools.ranker.model.parameters()):
                parameter.mul_(1.01)
        return sessions

    monkeypatch.setattr(requests, "written", changed_since)
    figures = table("requests", "--number", 200)
    number, *_, errors, _ = figures["retriever 64 x 1"]
    assert 0 < errors <= number
    apart, exponent = figures["ranker 64 x 1"][1:3]
    assert apart * 10**-exponent > 1e-6


@pytest.mark.slow
def test_training_beside_peers(table, tmp_path, monkeypatch):
    training, finished = importlib.import_module("benchmarks.training"), []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *arguments: finished.append(fit(*arguments)) or finished[-1])
    (tmp_path / "run_tfrs.py").write_text("import os; print('tfrs 0 100 rows/s'); print('tfrs 1', os.environ['EPOCHS'] + '00 rows/s')")
    figures = table("training", "--rows", 2000, "--epochs", 2, "--peers", tmp_path, "--tfrs-python", sys.executable)
    trained, from_files, before, after, ratio, ratio_from_files = figures["tfrs"]
    assert (before, after) == (200, 200)
    assert ratio == pytest.approx(trained / 200, rel=0.02)
    assert ratio_from_files == pytest.approx(from_files / 200, rel=0.02)
    assert min(trained, from_files) > 0
    for done in finished:  # preparing counts
        assert done.seconds > sum(sum(epoch.values()) for epoch in done.epochs)
    assert len(figures["rechub"]) == len(figures["mmoe"]) == 2  # their peer was not run
    assert {type(done.model).__name__ for done in finished} == {"TwoTower", "MMoE"}


@pytest.mark.slow
def test_ranking_epoch(table):
    figures = table("ranking_epoch", "--rows", 4000, "loader.batch_size=256", FLOAT32)
    for rows in ("2,000", "4,000"):
        seconds, rows_per_s, memory_mib = figures[rows]
        assert rows_per_s > 0
        assert seconds >= 0
        assert memory_mib > 1
    shares = [figures[phase][1] for phase in ("batch", "towers", "loss", "backward", "optimizer")]
    assert sum(shares) == pytest.approx(100, abs=4)


@pytest.mark.slow
def test_sweeps(table):
    found = table("sweeps", "--trials", 2, "--kills", 0, "--epochs", 1, "--impressions", 20_000, "--users", 300)
    for name in ("random", "random+median", "tpe+median"):
        kills, told, wanted, twice, steps, *_ = found[name]
        assert (kills, told, wanted, twice) == (0, 2, 2, 0)
        assert steps > 0


def test_peer_that_fails_is_named(tmp_path):
    training = importlib.import_module("benchmarks.training")
    (tmp_path / "run_tfrs.py").write_text("raise SystemExit('no module tensorflow')")
    with pytest.raises(ConfigError, match="no module tensorflow"):
        training.Peer(Path(sys.executable), tmp_path, ("run_tfrs.py",), 1).speed()


def test_step_clock_gives_each_phase_its_own_time(monkeypatch):
    clock = importlib.import_module("benchmarks.clock")
    moments = iter([0, 1, 11, 111, 1111, 11111, 11113, 11117])  # the second step ends no phase but these two
    monkeypatch.setattr(clock.time, "perf_counter", lambda: next(moments))
    task, steps = torch.nn.Module(), clock.StepClock()
    task.loss = torch.nn.Identity()
    steps.on_fit_start(None, task)
    steps.on_train_epoch_start(None, task)
    steps.on_train_batch_start(None, task, None, 0)
    task.loss(0)
    steps.on_after_backward(None, task)
    steps.on_train_batch_end(None, task, None, None, 0)
    steps.on_train_batch_start(None, task, None, 1)
    steps.on_train_batch_end(None, task, None, None, 1)
    steps.on_train_epoch_end(None, task)
    assert steps.epochs == [{"batch": 1 + 2, "towers": 10, "loss": 100, "backward": 1000, "optimizer": 10000 + 4}]


def test_peak_memory_is_that_since_it_was_forgotten():
    memory = importlib.import_module("benchmarks.memory")
    torch.ones(200 << 20, dtype=torch.uint8)  # so large that it is given back to the system
    memory.forget_peak()
    before = memory.memory("VmRSS")
    torch.ones(80 << 20, dtype=torch.uint8)
    assert 70 << 20 < memory.memory("VmHWM") - before < 100 << 20


def test_random_histories_are_as_long_as_movielens():
    movielens_shaped = importlib.import_module("benchmarks.movielens_shaped")
    lengths = movielens_shaped.history_lengths(6_040, 1_000_209, np.random.default_rng(0))
    assert lengths.min() >= 20
    assert lengths.sum() == pytest.approx(1_000_209, rel=0.001)
    assert np.median(lengths) == pytest.approx(96, abs=5)  # of the published ratings


def test_checkpoints_are_written_beside_a_plain_file(table, tmp_path):
    found = table("checkpoint", "--megabytes", 3, "--rounds", 1, "--folder", tmp_path)
    assert {"plain file, synced", "checkpoint, synced and hashed", "training waits"} <= set(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_killed_runs_end_like_others():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "kills", "--kills", "9"], cwd=HOME, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"(\d+) +(\d+) of (\d+) +(\d+) *$", done.stdout, re.MULTILINE)
    assert [tuple(map(int, row)) for row in rows] == [(9, 9, 9, 0)] * 8  # killed, ended the same, of, unloadable


FORGETFUL = """
from pathlib import Path
from benchmarks.base import composed
from benchmarks.kills import TASKS, TINY, tried
import recsys.run.saver

recsys.run.saver.restore = lambda *_: {}
cell = tried(composed(*TINY, *TASKS["retrieval"], "data.store=store"), Path("runs"), Path(), kills=9, seed=0)
print(cell.killed, cell.same)
"""


@pytest.mark.slow
def test_a_state_that_is_not_kept_is_seen(tmp_path):
    """What the table says is worth something only if it can say otherwise."""
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    done = subprocess.run([sys.executable, "-c", FORGETFUL], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    killed, same = map(int, done.stdout.split()[-2:])
    assert same < killed == 9


def test_coverage_is_measured_by_metric_and_size(tables, monkeypatch):
    coverage = importlib.import_module("benchmarks.coverage")
    monkeypatch.setattr(coverage, "TRUTH", 4_000)
    found = tables("coverage", "--repeats", 15, "--users", 10, 50)
    assert len(found) == len(coverage.TASTES) + 1 + len(coverage.RATES)
    assert 0.6 < found[1]["hit_rate@20"][0] <= 1  # of 50 users; 10 are too few
    assert 0.6 < found[-1]["auc"][0] <= 1


class Event:
    """An event of a GPU that is not there, which took place `at` ms."""

    at = 0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        Event.at += 500
        self.at = Event.at

    def synchronize(self):
        assert Event.at == 3_000, "a step waited for the GPU"

    def elapsed_time(self, later):
        return later.at - self.at


def test_step_clock_waits_for_a_gpu_at_the_end_of_an_epoch_alone(monkeypatch):
    clock = importlib.import_module("benchmarks.clock")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: pytest.fail("a step waited for the GPU"))
    task, steps = torch.nn.Module(), clock.StepClock()
    task.loss = torch.nn.Identity()
    steps.on_fit_start(None, task)
    steps.on_train_epoch_start(None, task)
    steps.on_train_batch_start(None, task, None, 0)
    task.loss(0)
    steps.on_after_backward(None, task)
    steps.on_train_batch_end(None, task, None, None, 0)
    steps.on_train_epoch_end(None, task)
    assert steps.epochs == [dict.fromkeys(("batch", "towers", "loss", "backward", "optimizer"), 0.5)]


@pytest.mark.slow
def test_threads(table, monkeypatch):
    work = "import time; started = time.perf_counter(); sum(range(10**7)); print(time.perf_counter() - started)"
    monkeypatch.setattr("benchmarks.threads.EPOCH", work)  # twelve trainings take minutes
    figures = table("threads", "--repeats", 1)
    assert list(figures)[:3] == ["quiet", "beside 1 busy", "beside 2 busy"]
    assert any(name.startswith("quota of 1 core") for name in figures)
    assert figures["quiet"][1::2] == [1.0, 1.0, 1.0]
    for name in ("beside 1 busy", "beside 2 busy"):
        for seconds, ratio, quiet in zip(figures[name][::2], figures[name][1::2], figures["quiet"][::2], strict=True):
            assert (seconds - 0.01) / (quiet + 0.01) - 0.01 <= ratio <= (seconds + 0.01) / (quiet - 0.01) + 0.01


@pytest.mark.slow
def test_threads_are_timed_on_a_training(capsys, tmp_path):
    shop = ("data.source.num_users=60", "data.source.num_items=300", "data.source.num_impressions=4000", "data.max_unknown_share=1")
    places = (f"data.store={tmp_path}", f"data.source.folder={tmp_path}/shop")
    importlib.import_module("benchmarks.threads").print_epoch(str(tmp_path), *places, *shop, "model.dim=4", "trainer.max_epochs=1")
    assert 0 < float(capsys.readouterr().out.split()[-1]) < 60
