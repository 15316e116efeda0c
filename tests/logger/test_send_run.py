"""Runs that `send` refuses, before it sends or changes anything."""

import pytest

from recsys.errors import ConfigError
from recsys.logger import companion
from recsys.logger.destination import Destination
from recsys.logger.wandb import send_run

SAID = {"project": "shops", "name": "first", "group": "night", "tags": ("a",), "artifacts": False, "mode": "offline"}


@pytest.fixture
def sent(monkeypatch):
    """[mode] of what was sent, in place of sending."""
    modes = []
    monkeypatch.setattr(companion, "send", lambda run, mode: modes.append(mode) or "there")
    return modes


def test_a_run_that_belongs_to_a_project_is_not_sent_to_another(run, sent):
    Destination(**SAID).settle(run)
    before = (run / "wandb.json").read_text()
    with pytest.raises(ConfigError, match=r"belongs to project 'shops', not to 'other'\n.*run/wandb.json\n.*leave --project out"):
        send_run(run, "other")
    assert sent == []
    assert (run / "wandb.json").read_text() == before


def test_naming_the_project_it_belongs_to_changes_nothing(run, sent):
    Destination(**SAID).settle(run)
    before = (run / "wandb.json").read_text()
    send_run(run, "shops")
    assert len(sent) == 1
    assert (run / "wandb.json").read_text() == before


@pytest.mark.parametrize(("variable", "mode"), [(None, "online"), ("online", "online"), ("offline", "offline")])
def test_a_run_is_sent_unless_the_environment_says_offline(run, sent, monkeypatch, variable, mode):
    Destination(**SAID).settle(run)  # kept offline when it was trained
    monkeypatch.delenv("WANDB_MODE")
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    send_run(run, None)
    assert sent == [mode]


def test_disabled_sends_nothing_and_says_so(run, sent, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(ConfigError, match=r"WANDB_MODE is disabled: nothing is sent(.|\n)*fix: unset it"):
        send_run(run, "shops")
    assert sent == []
    assert not (run / "wandb.json").exists()


def test_a_run_without_a_project_is_refused(run, sent):
    with pytest.raises(ConfigError, match=r"the run has no wandb.json: it was not trained with logger=wandb(.|\n)*--project"):
        send_run(run, None)
    assert sent == []
