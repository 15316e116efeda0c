from recsys.report.curves import _points
from recsys.run.directory import RunDirectory
from recsys.task.base import facet


def section(run):
    """The curves, with the panels of the run's task."""
    return next((part for part in facet(run.task, "report").sections(run) if part is not None and part.name == "curves"), None)


def test_the_weights_that_were_tested_are_named_by_their_step(retrieval):
    assert "best val/recall@20: step 500." in section(RunDirectory.open(retrieval("a"))).text[0]


def test_losses_and_validation_are_drawn(retrieval):
    losses, validation = section(RunDirectory.open(retrieval("a"))).parts
    assert losses.alt == "Training loss by step: train/loss from 4.9900 to 4.0000"
    assert validation.alt == "Validation by step: val/recall@20 from 0.4000 to 0.3000"


def test_what_chose_the_weights_of_a_ranker_has_a_panel_of_its_own(ranking):
    names = [figure.name for figure in section(RunDirectory.open(ranking("a"))).parts]
    assert names == ["curves/losses", "curves/validation", "curves/monitor"]


def test_a_long_run_is_thinned_and_keeps_its_last_point():
    points = _points([{"step": step, "loss": float(step)} for step in range(10_001)], "loss")
    assert len(points) <= 420
    assert points[-1] == (10_000, 10_000.0)


def test_a_value_that_was_not_finite_is_left_out():
    assert _points([{"step": 1, "loss": None}, {"step": 2, "loss": 0.5}], "loss") == [(2, 0.5)]


def test_a_run_that_logged_nothing_has_no_curves(retrieval):
    run = retrieval("a")
    (run / "metrics.jsonl").write_text("")
    assert section(RunDirectory.open(run)) is None
