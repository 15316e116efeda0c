import pytest

from recsys.report.sections import labels, results
from recsys.run.files import RunFiles


def grid(section, name):
    return next(part for part in section.parts if part.name == name)


def test_headline_metrics_have_intervals_and_words(retrieval):
    rows = {row[0]: row[1:] for row in grid(results.section(RunFiles.open(retrieval("a"))), "headline").rows}
    assert rows["recall@20"][:3] == (0.5, 0.4, 0.6)
    assert rows["recall@20"][3].endswith("among the first 20 recommended")
    assert rows["coverage@20"][:3] == (0.5, None, None)


def test_baselines_are_compared_user_by_user(retrieval):
    found = grid(results.section(RunFiles.open(retrieval("a", [0.5, 0.0, 1.0, 0.5]))), "baselines")
    rows = {row[0]: row[1:] for row in found.rows}
    assert list(rows) == ["two_tower (this run)", "ease", "popularity", "oracle"]
    # ease has 0.8 of the recall of the user before: 0.4 0.4 0 0.8, so differences are 0.1 -0.4 1 -0.3
    change, low, high = rows["ease"][-3:]
    assert change == pytest.approx(0.1)
    assert low < 0 < high < 1
    assert rows["popularity"][-3] == pytest.approx(0.5)
    assert rows["two_tower (this run)"][-3:] == rows["oracle"][-3:] == (None, None, None)  # of the oracle nothing is kept by user here


def test_who_is_left_out_is_counted(retrieval):
    text = " ".join(results.section(RunFiles.open(retrieval("a"))).text)
    assert "4 users, each asked once" in text
    assert "2 more users have nothing new to find" in text


def test_every_label_stands_beside_its_baselines(ranking):
    section = labels.section(RunFiles.open(ranking("a")))
    found = grid(section, "baselines/click")
    assert found.rows[0][:2] == ("two_tower (this run)", 0.72)
    assert found.rows[1][:3] == ("prior", 0.5, None)
    assert found.note == "400 impressions, 100 of them positive."


def test_what_a_metric_says_is_told_once(ranking):
    rows = grid(labels.section(RunFiles.open(ranking("a"))), "headline").rows
    told = {row[0]: row[-1] for row in rows if row[1] == "auc"}
    assert "0.5 is guessing" in told["click"]
    assert told["buy"] == told["click_buy"] == ""
