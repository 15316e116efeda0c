"""The logger in the training process: it starts, tells and waits, and never raises."""

import json
import logging
import sys

import pytest

from recsys.errors import ConfigError
from recsys.logger import wandb
from recsys.logger.wandb import Wandb, finish_logging, send_bundle

SAID = {"name": None, "group": "night", "tags": ["a"], "artifacts": True}


@pytest.fixture
def companion(monkeypatch, tmp_path):
    """companion(text): the program that runs in place of the one that talks."""

    def companion(text):
        start = wandb.subprocess.Popen
        monkeypatch.setattr(wandb.subprocess, "Popen", lambda command, **more: start([sys.executable, "-c", text], **more))

    monkeypatch.delenv("WANDB_MODE", raising=False)
    return companion


def logger(run, mode="offline", timeout_s=20.0):
    return Wandb(run, "shops", mode=mode, timeout_s=timeout_s, **SAID)


def test_without_wandb_it_says_what_to_install_unless_it_is_disabled(companion, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="pip install wandb"):
        logger(tmp_path)
    logger(tmp_path, mode="disabled")


def warnings_of(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if "Weights & Biases" in line]


def test_it_is_told_that_the_run_has_finished_and_waited_for(companion, tmp_path, capsys, caplog):
    companion(f"import sys; open({str(tmp_path / 'heard')!r}, 'w').write(sys.stdin.readline()); print('https://there')")
    tried = logger(tmp_path)
    with caplog.at_level(logging.INFO):
        tried.log_metrics({"a": 1.0}, 0)
        finish_logging([tried])
    assert (tmp_path / "heard").read_text() == "finished\n"
    assert caplog.messages == ["Weights & Biases: https://there"]
    assert warnings_of(capsys) == []


def test_a_failed_run_is_not_waited_for(companion, tmp_path):
    companion(f"import sys, time; open({str(tmp_path / 'heard')!r}, 'w').write(sys.stdin.readline()); time.sleep(60)")
    tried = logger(tmp_path)
    tried.log_metrics({"a": 1.0}, 0)
    tried.finalize("failed")
    process = tried._process
    finish_logging([tried])
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_what_went_wrong_is_said_once_and_training_goes_on(companion, tmp_path, capsys, caplog):
    companion("print('CommError: no such host'); raise SystemExit(1)")
    tried = logger(tmp_path)
    tried.log_metrics({"a": 1.0}, 0)
    tried._process.wait()
    for step in range(3):
        tried.log_metrics({"a": 1.0}, step)
    tried.finalize("success")
    finish_logging([tried])
    line = f"Weights & Biases: CommError: no such host; training goes on without it, python -m recsys.report send {tmp_path} sends it later"
    assert warnings_of(capsys) == [line]
    assert caplog.messages == [line]


def test_a_process_that_hangs_is_ended(companion, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(wandb, "GRACE_S", 0)
    companion("import time; time.sleep(600)")
    tried = logger(tmp_path, timeout_s=0.5)
    tried.log_metrics({"a": 1.0}, 0)
    finish_logging([tried])
    (line,) = warnings_of(capsys)
    assert "no answer within 0.5 s; not everything was sent" in line
    assert tried._process.returncode < 0


def test_a_python_that_does_not_start_is_a_warning(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(wandb.sys, "executable", str(tmp_path / "none"))
    tried = logger(tmp_path)
    tried.log_metrics({"a": 1.0}, 0)
    finish_logging([tried])
    assert len(warnings_of(capsys)) == 1


@pytest.mark.parametrize(("mode", "variable"), [("disabled", None), ("online", "disabled")])
def test_disabled_does_nothing_and_is_said_in_the_log(companion, tmp_path, monkeypatch, caplog, mode, variable):
    companion("raise SystemExit(1)")
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    tried = logger(tmp_path, mode=mode)
    with caplog.at_level(logging.INFO):
        tried.log_metrics({"a": 1.0}, 0)
        finish_logging([tried])
    assert list(tmp_path.iterdir()) == []
    assert caplog.messages == ["Weights & Biases: disabled, nothing is sent"]


def test_run_directory_says_where_it_belongs(companion, tmp_path):
    companion("input()")
    tried = logger(tmp_path)
    tried.log_metrics({"a": 1.0}, 0)
    finish_logging([tried])
    kept = json.loads((tmp_path / "wandb.json").read_text())
    assert {key: kept[key] for key in ("project", "name", "group", "tags", "mode")} == {
        "project": "shops",
        "name": tmp_path.name,
        "group": "night",
        "tags": ["a"],
        "mode": "offline",
    }


def test_a_bundle_that_is_not_sent_is_a_warning(companion, run, capsys):
    send_bundle(run)  # it belongs nowhere
    assert warnings_of(capsys) == []
    wandb.Destination(project="shops", name="x", group=None, tags=(), artifacts=True, mode="offline").settle(run)
    companion("print('OSError: full'); raise SystemExit(1)")
    send_bundle(run)
    assert warnings_of(capsys) == ["Weights & Biases: OSError: full; the bundle stands, and was not sent"]


@pytest.mark.parametrize(
    ("trained", "variable", "mode"), [("online", None, "online"), ("online", "offline", "offline"), ("offline", "online", "online")]
)
def test_a_bundle_goes_where_the_run_went_unless_the_environment_says_otherwise(run, monkeypatch, capsys, trained, variable, mode):
    modes = []
    monkeypatch.setattr(wandb, "_companion", lambda run, work, mode, timeout_s: modes.append(mode))
    monkeypatch.setattr(wandb, "_ended", lambda process, timeout_s: ("there", True))
    wandb.Destination(project="shops", name="x", group=None, tags=(), artifacts=True, mode=trained).settle(run)
    monkeypatch.delenv("WANDB_MODE")
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    send_bundle(run)
    assert modes == [mode]
    assert warnings_of(capsys) == []


def test_disabled_sends_no_bundle_and_says_so(companion, run, monkeypatch, capsys):
    companion("raise SystemExit(1)")
    wandb.Destination(project="shops", name="x", group=None, tags=(), artifacts=True, mode="online").settle(run)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    send_bundle(run)
    assert warnings_of(capsys) == ["Weights & Biases: WANDB_MODE is disabled; the bundle stands, and was not sent"]
