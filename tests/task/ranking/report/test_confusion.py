import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.run.directory import RunDirectory
from recsys.task.ranking.report.predictions import confusion_section


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
