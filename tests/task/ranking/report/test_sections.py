"""What a report says of a ranking run, section by section."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.run.directory import RunDirectory
from recsys.task.ranking.report import labels, limits
from recsys.task.ranking.report.labels import section
from recsys.task.ranking.report.predictions import calibration_section, confusion_section, mistakes_section


def grid(section, name):
    return next(part for part in section.parts if part.name == name)


def test_every_label_stands_beside_its_baselines(ranking):
    results = section(RunDirectory.open(ranking("a")))
    found = grid(results, "baselines/click")
    assert found.rows[0][:2] == ("two_tower", pytest.approx((0.72, 0.67, 0.77)))
    assert found.rows[1][:3] == ("prior", (0.5, None, None), None)
    assert found.title == "click: 400 impressions, 100 positive"


def test_what_a_metric_says_is_told_once(ranking):
    rows = grid(section(RunDirectory.open(ranking("a"))), "headline").rows
    told = {row[0]: row[-1] for row in rows if row[1] == "auc"}
    assert "0.5 is guessing" in told["click"]
    assert told["buy"] == told["click_buy"] == ""


def test_groups_of_rows_have_columns_of_every_label(ranking):
    _, found = labels.section_of_groups(RunDirectory.open(ranking("a"))).parts
    assert found.columns[:5] == ("group", "value", "rows", "click auc", "click pred./actual")
    assert found.rows[0][2:5] == (200, 0.7, None)


def test_a_mistake_is_told_with_what_was_known(ranking):
    (grid,) = mistakes_section(RunDirectory.open(ranking("a"))).parts
    (row,) = grid.rows
    assert row[:4] == ("click", "missed", 0.01, 1)
    assert row[5] == "user 7, device <script>alert('x')</script> & \"quoted\", history 5 · unknown"


def test_calibration_counts_groups_off_the_diagonal(ranking):
    *_, grid = calibration_section(RunDirectory.open(ranking("a"))).parts
    assert grid.rows == (("click", 400, 180, 1, 1, 0.4, 0.45),)  # 0.4 lies outside 0.41 to 0.5


def test_a_label_of_one_class_is_a_limit(ranking):
    path = ranking("a")
    metrics = json.loads((path / "metrics.json").read_text()) | {"test/buy/positives": 0}
    (path / "metrics.json").write_text(json.dumps(metrics))
    assert any(line.startswith("buy has rows of one class alone") for line in limits(RunDirectory.open(path)))


def test_every_prediction_is_tried_on_every_label(ranking):
    run = RunDirectory.open(ranking("a"))
    (grid,) = confusion_section(run).parts
    assert grid.columns == ("prediction", "click", "buy", "click_buy")
    frame = run.table("predictions.parquet")
    inside = frame.filter(frame["click"] == 1)
    rows = {row[0]: row[1:] for row in grid.rows}
    # the click's prediction for what was bought among clicks
    assert rows["click"][1] == pytest.approx(roc_auc_score(inside["buy"].to_numpy(), inside["predicted/click"].to_numpy()))
    assert rows["buy"][0] == pytest.approx(roc_auc_score(frame["click"].to_numpy(), frame["predicted/buy"].to_numpy()))


def test_a_label_that_another_knows_better_is_named(ranking):
    known = RunDirectory.open(ranking("a")).table("predictions.parquet")
    swapped = known["buy"].fill_null(0).to_numpy() * 0.5 + 0.25  # the click's prediction says who buys
    section_text = confusion_section(RunDirectory.open(ranking("b", click=swapped, buy=np.full(400, 0.5)))).text
    assert any(text.startswith("buy is ordered better by the prediction of click: 1.0000 against 0.5000") for text in section_text)
