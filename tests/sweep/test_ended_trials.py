from types import SimpleNamespace

import optuna
import polars as pl
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from recsys.sweep import results
from recsys.sweep.page import importance, page, parallel_plot
from recsys.sweep.plan import Plan
from recsys.sweep.results import draw_page, trials_frame, write_results
from recsys.sweep.study import ended_trials
from recsys.sweep.sweep_config import SweepConfig
from recsys.sweep.terminal import duration, progress_line, short_keys

SPACE = {"lr": {"low": 0.001, "high": 1.0, "log": True}, "loss": ["bpr", "softmax"]}
KINDS = {"lr": FloatDistribution(0.001, 1.0, log=True), "loss": CategoricalDistribution(["bpr", "softmax"])}


def sweep_of(trials, objectives):
    """A study and its plan; trials are (state, values, lr, attributes)."""
    config = SweepConfig(objectives=objectives, space=SPACE, sampler="tpe", trials=9)
    study = optuna.create_study(directions=[f"{which}imize" for which in objectives.values()])
    for number, (state, values, lr, attributes) in enumerate(trials):
        told = create_trial(
            state=state,
            values=values,
            params={"lr": lr, "loss": ["bpr", "softmax"][number % 2]},
            distributions=KINDS,
            user_attrs={"run": f"trial-{number}", "seconds": 10.0, **attributes},
            intermediate_values={1: 0.1, 2: 0.2} if state is TrialState.PRUNED else {},
        )
        study.add_trial(told)
    return study, Plan("mine", ("seed=1",), config, {"logger": {}}, {})


@pytest.fixture
def one():
    trials = [
        (TrialState.COMPLETE, [0.3], 0.1, {}),
        (TrialState.FAIL, None, 0.9, {"reason": "<b>RuntimeError</b>: no"}),
        (TrialState.COMPLETE, [0.5], 0.01, {}),
        (TrialState.PRUNED, [0.2], 0.5, {}),
        (TrialState.COMPLETE, [0.5], 0.02, {}),
    ]
    return sweep_of(trials, {"val/x": "max"})


def test_best_comes_first_and_of_equals_the_earlier(one):
    study, plan = one
    found = ended_trials(study, plan.sweep)
    assert [(row.number, row.rank, row.best) for row in found] == [
        (2, 1, True),
        (4, 2, False),
        (0, 3, False),
        (1, None, False),
        (3, None, False),
    ]
    assert (found[3].reason, found[4].evaluations) == ("<b>RuntimeError</b>: no", 2)


def test_less_is_better_where_it_says_so():
    study, plan = sweep_of([(TrialState.COMPLETE, [value], 0.1, {}) for value in (3.0, 1.0, 2.0)], {"val/loss": "min"})
    assert [row.number for row in ended_trials(study, plan.sweep)] == [1, 2, 0]


@pytest.fixture
def two():
    values = [(0.5, 10.0), (0.4, 12.0), (0.3, 5.0), (0.5, 11.0)]  # the second and the last are beaten by the first in both, or equalled
    return sweep_of([(TrialState.COMPLETE, list(each), 0.1, {}) for each in values], {"val/x": "max", "bundle/size_mb": "min"})


def test_what_nothing_beats_comes_first_with_two_objectives(two):
    study, plan = two
    assert [(row.number, row.best) for row in ended_trials(study, plan.sweep)] == [(0, True), (2, True), (3, False), (1, False)]


def test_files_tell_what_was_found(one, tmp_path):
    study, plan = one
    (tmp_path / "conf").mkdir()
    write_results(tmp_path, ended_trials(study, plan.sweep), plan)
    table = pl.read_parquet(tmp_path / "trials.parquet")
    assert table["number"].to_list() == [2, 4, 0, 1, 3]
    assert table["val/x"].to_list() == [0.5, 0.5, 0.3, None, 0.2]
    assert table["loss"].to_list() == ["bpr", "bpr", "bpr", "softmax", "softmax"]
    assert "# Trial 2 of the sweep 'mine': val/x 0.5.   python train.py experiment=best" in (tmp_path / "best.yaml").read_text()
    assert "lr: 0.01\n" in (tmp_path / "best.yaml").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"conf", "trials.parquet", "best.yaml"}


def test_every_trial_that_nothing_beats_is_an_experiment(two, tmp_path):
    study, plan = two
    (tmp_path / "conf").mkdir()
    (tmp_path / "front").mkdir()
    (tmp_path / "front" / "trial-9.yaml").write_text("beaten since")
    write_results(tmp_path, ended_trials(study, plan.sweep), plan)
    assert {path.name for path in (tmp_path / "front").iterdir()} == {"trial-0.yaml", "trial-2.yaml"}
    assert "Trial 0" in (tmp_path / "best.yaml").read_text()


def test_table_of_a_sweep_without_a_finished_trial_has_its_types():
    study, plan = sweep_of([(TrialState.FAIL, None, 0.1, {"reason": "x"})], {"val/x": "max"})
    table = trials_frame(ended_trials(study, plan.sweep), plan.sweep)
    assert (table.schema["val/x"], table.schema["rank"]) == (pl.Float64, pl.Int64)
    assert "1 failed" in page(ended_trials(study, plan.sweep), study, plan)


def test_page_is_whole_by_itself_and_escapes_what_it_quotes(one):
    study, plan = one
    text = page(ended_trials(study, plan.sweep), study, plan)
    assert "3 finished, 1 pruned, 1 failed" in text
    assert "The best is trial 2 (0.5)." in text
    assert "&lt;b&gt;RuntimeError" in text
    assert "<b>RuntimeError" not in text
    assert not any(outside in text.replace("http://www.w3.org/", "") for outside in ("http://", "https://", "<script", "<link"))


def test_page_of_two_objectives_shows_them_against_each_other(two):
    study, plan = two
    text = page(ended_trials(study, plan.sweep), study, plan)
    assert "val/x against bundle/size_mb" in text
    assert "Nothing beats trial 0 (0.5, 10), trial 2 (0.3, 5)." in text


def test_importance_is_of_what_moves_the_objective():
    trials = [(TrialState.COMPLETE, [lr], lr, {}) for lr in (0.001, 0.9, 0.01, 0.5, 0.1, 0.3, 0.02, 0.7)]
    study, plan = sweep_of(trials, {"val/x": "max"})
    shares = importance(study, plan.sweep, 0)
    assert shares["lr"] > 0.6 > 0.4 > shares["loss"]
    assert sum(shares.values()) == pytest.approx(1.0)


def test_importance_of_too_few_trials_is_not_told(one):
    study, plan = one
    assert importance(study, plan.sweep, 0) == {}


def test_importance_of_settings_that_never_differ_is_not_told():
    failed = (TrialState.FAIL, None, 0.9, {"reason": "x"})
    trials = [trial for value in (0.1, 0.2, 0.3, 0.4) for trial in ((TrialState.COMPLETE, [value], 0.1, {}), failed)]
    study, plan = sweep_of(trials, {"val/x": "max"})  # each that finished has lr 0.1 and the loss bpr
    assert importance(study, plan.sweep, 0) == {}


@pytest.mark.filterwarnings("error:constrained_layout not applied")
def test_settings_of_a_single_trial_fit_their_picture():
    study, plan = sweep_of([(TrialState.COMPLETE, [0.3], 0.001, {})], {"val/x": "max"})  # everything is the lowest there is
    assert parallel_plot(ended_trials(study, plan.sweep), plan.sweep, "val/x", "max").svg.startswith("<svg")


def test_page_that_cannot_be_drawn_stays_as_it_was(one, tmp_path, monkeypatch, caplog):
    study, plan = one
    draw_page(tmp_path, ended_trials(study, plan.sweep), study, plan)
    before = (tmp_path / "sweep.html").read_text()
    monkeypatch.setattr("recsys.sweep.page.history", lambda *_: 1 / 0)
    draw_page(tmp_path, ended_trials(study, plan.sweep)[:1], study, plan)
    assert (tmp_path / "sweep.html").read_text() == before
    assert "no sweep.html" in caplog.text


def test_page_is_due_after_ten_times_what_it_took(one, tmp_path, monkeypatch):
    study, plan = one
    clock = iter([100.0, 117.0])
    monkeypatch.setattr(results, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert draw_page(tmp_path, ended_trials(study, plan.sweep), study, plan) == 270.0


def test_line_of_a_trial_tells_state_value_best_and_time_left(one):
    study, plan = one
    line = progress_line(0, ended_trials(study, plan.sweep), plan.sweep, left=4, left_s=120.0)
    assert line == "trial   0   finished   val/x 0.3   best 0.5 (trial 2)   lr=0.1 loss=bpr   10 s   4 left, 2 min"
    line = progress_line(3, ended_trials(study, plan.sweep), plan.sweep, left=0, left_s=0.0)
    assert "pruned     val/x 0.2 at evaluation 2" in line
    assert line.endswith("none left")


def test_names_are_as_short_as_they_stay_apart():
    assert short_keys(["loss.temperature", "optimizer.dense.lr", "optimizer.tables.lr"]) == ["temperature", "dense.lr", "tables.lr"]


@pytest.mark.parametrize(("seconds", "said"), [(41.3, "41 s"), (754, "13 min"), (9000, "2.5 h")])
def test_duration_is_said_in_one_unit(seconds, said):
    assert duration(seconds) == said
