"""Whether a run begins, goes on, or is refused."""

import hashlib
import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recsys.config import TrainConfig
from recsys.errors import ConfigError, IntegrityError
from recsys.run.checkpoint import write_checkpoint
from recsys.run.lineage import write_lineage
from recsys.run.resume import best_weights, interrupted, start

CONFIG = TrainConfig(
    data=None,
    loader={"num_workers": 0},
    task={},
    model={"dims": [1, 2]},
    loss={"t": 0.1},
    optimizer={},
    scheduler={},
    trainer={"devices": 1},
    checkpoint={},
)
AUTO = replace(CONFIG, resume="auto")


@pytest.fixture(autouse=True)
def _as_saved(monkeypatch):
    """Configs of these tests name nothing that could be checked against the code."""
    monkeypatch.setattr("recsys.run.directory.check_config", lambda config, root, origin: root(**config))


def begun(run: Path, config=CONFIG, *, steps=True, finished=False):
    with_lock = start(config, run, is_first=True)
    with_lock.keep_config(config)
    with_lock.lock.release()
    if steps:
        (run / "checkpoints" / "last").mkdir(parents=True)
    if finished:
        (run / "metrics.json").write_text("{}")
    return run


@contextmanager
def held(run):
    """Another process, with a child of its own, trains there; gives its pid."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        own = start(AUTO, run, is_first=True)
        os.write(writes, b"held" if own.lock is not None else b"free")
        time.sleep(5 if os.fork() == 0 else 60)
        os._exit(0)
    os.read(reads, 1)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_directory_of_its_own_begins(tmp_path):
    new = start(CONFIG, tmp_path / "new", is_first=True)
    assert (new.goes_on, new.resume_from, new.finished) == (False, None, False)


def test_a_run_is_never_begun_over_another(tmp_path):
    with pytest.raises(ConfigError, match=r"holds a run already(.|\n)*or go on with resume=DIR"):
        start(CONFIG, begun(tmp_path / "run"), is_first=True)


@pytest.mark.parametrize("resume", ["auto", "outputs/run"])
def test_an_interrupted_run_goes_on_from_its_last_checkpoint(tmp_path, resume):
    run = begun(tmp_path / "run")
    again = start(replace(CONFIG, resume=resume), run, is_first=True)
    assert (again.goes_on, again.resume_from, again.finished) == (True, run / "checkpoints" / "last", False)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again_in_its_place(tmp_path):
    again = start(AUTO, begun(tmp_path / "run", steps=False), is_first=True)
    assert (again.goes_on, again.resume_from) == (True, None)


def test_a_lost_checkpoint_is_said(tmp_path):
    run = begun(tmp_path / "run", steps=False)
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last").symlink_to("step-00000001-none")
    with pytest.raises(IntegrityError, match="it names step-00000001-none, which is not there"):
        start(AUTO, run, is_first=True)


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    assert start(AUTO, begun(tmp_path / "run", finished=True), is_first=True).finished


def test_a_directory_without_a_run_cannot_be_gone_on_with(tmp_path):
    with pytest.raises(ConfigError, match="no run has begun"):
        start(replace(CONFIG, resume="elsewhere"), tmp_path / "none", is_first=True)


def test_every_changed_key_is_named_with_both_values(tmp_path):
    other = replace(AUTO, seed=1, loss={"t": 0.2}, model={"dims": [1]}, trainer={"devices": 1, "new": True})
    with pytest.raises(ConfigError) as refused:
        start(other, begun(tmp_path / "run"), is_first=True)
    assert [fault.what for fault in refused.value.faults] == [
        "loss.t: 0.1 -> 0.2",
        "model.dims.1: 2 -> nothing",
        "seed: 0 -> 1",
        "trainer.new: nothing -> True",
    ]
    assert "add allow_change=[seed]" in str(refused.value)


@pytest.mark.parametrize("allowed", [("loss.t", "seed"), ("loss", "seed")])
def test_changes_are_allowed_by_name(tmp_path, allowed):
    run = begun(tmp_path / "run", finished=True)
    again = start(replace(AUTO, seed=1, loss={"t": 0.2}, allow_change=allowed), run, is_first=True)
    assert again.goes_on
    assert not again.finished
    assert (run / "metrics.json").exists()
    again.keep_config(replace(AUTO, seed=1, loss={"t": 0.2}))
    assert not (run / "metrics.json").exists()  # they were of the other config
    again.lock.release()
    with pytest.raises(ConfigError, match=r"1 problem:(.|\n)*trainer\.devices: 1 -> 2"):
        start(replace(AUTO, seed=1, loss={"t": 0.2}, trainer={"devices": 2}, allow_change=("trainer.dev",)), run, is_first=True)


def test_what_is_saved_says_nothing_of_the_command(tmp_path):
    run = begun(tmp_path / "run", replace(AUTO, allow_change=("seed",)))
    assert "resume: null" in (run / "config.yaml").read_text()
    assert "allow_change: []" in (run / "config.yaml").read_text()


def test_two_processes_never_train_in_one_directory(tmp_path):
    run = begun(tmp_path / "run")
    with held(run) as pid:
        with pytest.raises(ConfigError, match="another process trains there"):
            start(AUTO, run, is_first=True)
        assert start(AUTO, run, is_first=False).resume_from == run / "checkpoints" / "last"  # a process of the same run
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        start(AUTO, run, is_first=True)  # though a child of it lives on


def test_other_data_are_refused_unless_allowed(tmp_path):
    run = begun(tmp_path / "run")
    (run / "lineage.json").write_text(json.dumps({"store": str(tmp_path / "a")}))
    again = start(AUTO, run, is_first=True)
    again.require_same(tmp_path / "a", {}, AUTO)
    again.require_same(tmp_path / "moved" / "a", {}, AUTO)
    with pytest.raises(ConfigError, match=rf"prepared in {tmp_path}/a -> {tmp_path}/b"):
        again.require_same(tmp_path / "b", {}, AUTO)
    again.require_same(tmp_path / "b", {}, replace(AUTO, allow_change=("data",)))


def test_a_teacher_that_was_trained_again_is_refused_unless_allowed(tmp_path):
    run = begun(tmp_path / "run")
    write_lineage(run / "lineage.json", store=tmp_path / "a", others={"task.teacher.run": "1" * 64})
    again = start(AUTO, run, is_first=True)
    again.require_same(tmp_path / "a", {"task.teacher.run": "1" * 64}, AUTO)
    with pytest.raises(ConfigError, match=r"task.teacher.run names a run with other weights(.|\n)*111111111111 -> 222222222222"):
        again.require_same(tmp_path / "a", {"task.teacher.run": "2" * 64}, AUTO)
    again.require_same(tmp_path / "a", {"task.teacher.run": "2" * 64}, replace(AUTO, allow_change=("task.teacher",)))


def test_best_weights_are_known_by_their_best_weights(tmp_path):
    best = write_checkpoint({"w": torch.ones(2)}, tmp_path / "other" / "checkpoints", about={"step": 1})
    (best.parent / "best").symlink_to(best.name)
    runs = {"task.retriever": tmp_path / "other", "task.teacher.run": tmp_path / "none"}
    assert best_weights(runs) == {"task.retriever": hashlib.sha256((best / "model.safetensors").read_bytes()).hexdigest()}


@pytest.mark.parametrize("content", ["[]", '{"store": 1}', '{"store": "a", "runs": []}', "{"])
def test_a_lineage_of_something_else_is_refused(tmp_path, content):
    run = begun(tmp_path / "run")
    (run / "lineage.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"lineage\.json is not what a run writes"):
        start(AUTO, run, is_first=True).require_same(tmp_path / "a", {}, AUTO)


def test_auto_means_the_newest_interrupted_run_of_the_same_config(tmp_path):
    for age, (name, config, finished) in enumerate(
        [("new_but_other", replace(CONFIG, seed=1), False), ("finished", CONFIG, True), ("newer", CONFIG, False), ("older", CONFIG, False)]
    ):
        os.utime(begun(tmp_path / name, config, finished=finished) / "config.yaml", (10_000 - age, 10_000 - age))
    assert interrupted(AUTO, tmp_path) == tmp_path / "newer"
    with held(tmp_path / "newer"):
        assert interrupted(AUTO, tmp_path) == tmp_path / "older"  # the other is at work
    assert interrupted(replace(AUTO, seed=2), tmp_path) is None
