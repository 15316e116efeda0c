"""Sweeps of the real conf, refused or taken before anything runs."""

from pathlib import Path

import pytest

from recsys.config import TrainConfig
from recsys.config.compose import checked_command
from recsys.errors import ConfigError
from recsys.sweep.sweeper import trial_faults

CONF = Path(__file__).parents[2] / "conf"


def swept(*texts, multirun=True):
    return checked_command((CONF,), "train", ["sweep=retrieval", *texts], TrainConfig, multirun=multirun, sweeps=trial_faults)


def refused(*texts, multirun=True):
    with pytest.raises(ConfigError) as error:
        swept(*texts, multirun=multirun)
    return error.value.faults


def test_sweep_without_m_is_refused():
    assert [fault.remedy.partition(";")[0] for fault in refused(multirun=False)] == ["add -m"]


def test_key_that_no_target_takes_is_named_with_the_nearest():
    (fault,) = refused("hydra.sweeper.space={loss.temprature: [0.1, 0.2]}")
    assert fault.what == "nothing is called 'temprature' in 'loss', SampledSoftmax; did you mean 'temperature'?"
    assert fault.where.startswith("command line, hydra.sweeper.space={loss.temprature: [0.1, 0.2]}, loss.temprature=0.1")


def test_every_value_and_both_ends_are_checked():
    space = "hydra.sweeper.space={model.dim: [32, wide], loader.batch_size: {low: 8, high: 16.5}, tower@model.user: [mlp, mpl]}"
    assert sorted(fault.what for fault in refused(space)) == [
        "'loader.batch_size' takes a whole number of at least 1, got 16.5",
        "'model.dim' takes a whole number of at least 1, got the text 'wide'",
        "there is no tower 'mpl'; did you mean 'mlp'?",
    ]


def test_key_that_only_one_choice_has_is_refused():
    (fault,) = refused("hydra.sweeper.space={loss: [softmax, bpr]}")
    assert fault.what == "nothing is called 'temperature' in 'loss', BPR"
    assert fault.where.startswith("conf/sweep/retrieval.yaml, line ")


def test_key_of_the_command_line_is_not_varied():
    closed = ["loss=bpr", "loss.temperature=0.1"]
    assert [fault.what for fault in refused(*closed)] == ["nothing is called 'temperature' in 'loss', BPR"]  # of the command line alone
    checked_command(
        (CONF,), "train", ["sweep=retrieval", "loss.temperature=0.1", "model.dim=48"], TrainConfig, multirun=True, sweeps=trial_faults
    )


def test_new_key_reaches_hydra_as_one():
    texts = checked_command(
        (CONF,), "train", ["sweep=retrieval", "hydra.sweeper.space={seed: [1, 2]}"], TrainConfig, multirun=True, sweeps=trial_faults
    )
    assert texts.overrides == ["sweep=retrieval", "++hydra.sweeper.space={seed: [1, 2]}"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("hydra.sweeper.trails=3", "nothing is called 'trails' in the config; did you mean 'trials'?"),
        ("hydra.sweeper.space={x: {_target_: os.system}}", "'os.system' is not allowed; Hydra builds only its own launchers and sweepers"),
        ("hydra.sweeper.space={x: ['${oc.env:SECRET}']}", "a config may not read the environment"),
        ("hydra.sweeper.space={hydra.run.dir: [/tmp/a, /tmp/b]}", "a sweep may not change 'hydra.run.dir'"),
        ("hydra.sweeper.space={+hydra.launcher._target_: [os.system]}", "a sweep may not change '+hydra.launcher._target_'"),
        ("hydra.sweeper.space={task._target_: [os.system]}", "'task': 'os.system' is not allowed"),
    ],
)
def test_what_a_sweep_may_not_say(text, what):
    assert what in refused(text)[0].what


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=two"], "'n_jobs' takes a whole number of at least 1, got the text 'two'"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "whole number of at least 1, got 0"),
        (["hydra/launcher=submitit", "hydra.launcher.cluster=lokal"], "did you mean 'local'?"),
        (["hydra/launcher=submitit", "hydra.launcher.partition=x"], "did you mean 'slurm_partition'?"),
    ],
)
def test_launcher_is_held_against_what_it_takes(texts, what):
    with pytest.raises(ConfigError) as error:
        checked_command((CONF,), "train", ["seed=0,1", *texts], TrainConfig, multirun=True, sweeps=trial_faults)
    (fault,) = error.value.faults
    assert what in fault.what
    assert fault.where.startswith("command line, hydra.launcher.")
