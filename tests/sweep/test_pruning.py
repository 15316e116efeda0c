import json

import pytest
import yaml
from optuna.trial import TrialState

from recsys.errors import ConfigError
from recsys.sweep.pruning import Pruning
from recsys.sweep.study import ask, open_study, tell
from recsys.sweep.sweep_config import SweepConfig

SPACE = {"lr": {"low": 0.0, "high": 1.0}}


@pytest.fixture
def sweep(tmp_path):
    """A sweep whose four finished trials had 0.5 at each of three evaluations; the fifth runs."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    node = {"objectives": {"val/score": "max"}, "space": SPACE, "sampler": "random", "trials": 9, "pruner": "median"}
    (folder / "sweep.yaml").write_text(yaml.safe_dump({"sweep": node}))
    config = SweepConfig(**node)
    study = open_study(folder, config)
    for _ in range(4):
        trial = ask(study, config)
        for evaluation in (1, 2, 3):
            trial.report(0.5, evaluation)
        tell(study, trial, [0.5], TrialState.COMPLETE)
    ask(study, config)
    return folder


def reported(folder):
    return open_study(folder, SweepConfig(**yaml.safe_load((folder / "sweep.yaml").read_text())["sweep"])).trials[4].intermediate_values


def test_trial_that_keeps_up_goes_on(fit, sweep):
    fit(Pruning("val/score", sweep, 4), scores=[0.4, 0.5, 0.6])
    assert reported(sweep) == pytest.approx({1: 0.4, 2: 0.5, 3: 0.6})


def test_trial_that_falls_behind_ends_with_8_before_its_next_epoch(fit, sweep):
    with pytest.raises(SystemExit) as ended:
        fit(Pruning("val/score", sweep, 4), scores=[0.4, 0.3, 0.9])
    assert ended.value.code == 8
    assert reported(sweep) == pytest.approx({1: 0.4, 2: 0.3})  # the first evaluation prunes nothing


def test_run_that_goes_on_counts_on(fit, sweep):
    begun = Pruning("val/score", sweep, 4)
    begun.evaluations = 1
    state = json.loads(json.dumps(begun.state_dict()))
    resumed = Pruning("val/score", sweep, 4)
    resumed.load_state_dict(state)
    fit(resumed, scores=[0.6])
    assert reported(sweep) == pytest.approx({2: 0.6})


def test_objective_that_no_run_measures_is_named(fit, sweep):
    with pytest.raises(ConfigError, match=r"no metric is called 'val/scroe'; did you mean 'val/score'\?") as refused:
        fit(Pruning("val/scroe", sweep, 4), scores=[0.4])
    assert "where: hydra.sweeper.objectives\n    fix: use one of val/score; then" in str(refused.value)
    assert reported(sweep) == {}
