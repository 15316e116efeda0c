import json

import pytest

from recsys.run.directory import RunDirectory
from recsys.task.retrieval.report import sections


def section(path, name="results"):
    return next(part for part in sections(RunDirectory.open(path)) if part is not None and part.name == name)


def grid(section, name):
    return next(part for part in section.parts if part.name == name)


def test_headline_metrics_have_intervals_and_words(retrieval):
    rows = {row[0]: row[1:] for row in grid(section(retrieval("a")), "headline").rows}
    assert rows["recall@20"][0] == (0.5, 0.4, 0.6)
    assert rows["recall@20"][1].endswith("among the first 20 recommended")
    assert rows["coverage@20"][0] == (0.5, None, None)


def test_baselines_are_compared_user_by_user(retrieval, monkeypatch):
    assert not [part for part in section(retrieval("few")).parts if part.name == "differences"]  # four users tell nothing
    monkeypatch.setattr("recsys.task.retrieval.report.results.FEWEST", 4)
    results = section(retrieval("a", [0.5, 0.0, 1.0, 0.5]))
    assert grid(results, "baselines").column(0) == ["two_tower", "ease", "popularity", "oracle", "validation"]
    differences = grid(results, "differences")
    assert differences.columns == ("", "two_tower − this, recall@20")
    rows = dict(differences.rows)
    # ease has 0.8 of the recall of the user before: 0.4 0.4 0 0.8, so differences are 0.1 -0.4 1 -0.3
    assert rows["ease"].value == pytest.approx(0.1)
    assert rows["ease"].low < 0 < rows["ease"].high
    assert rows["popularity"].value == pytest.approx(0.5)
    assert set(rows) == {"ease", "popularity"}  # of the oracle nothing is kept by user here
    assert "against" not in grid(results, "headline_differences").alt
    assert "popularity +0.5000" in grid(results, "headline_differences").alt


def test_who_is_left_out_is_counted(retrieval):
    text = " ".join(section(retrieval("a")).text)
    assert "4 users, each asked once" in text
    assert "2 more users have nothing new to find" in text


def test_a_group_has_its_users_and_metrics(retrieval):
    popularity, dots, groups = section(retrieval("a"), "slices").parts
    assert groups.columns == ("group", "value", "users", "recall@20", "ndcg@20")
    assert groups.rows[0] == ("popularity", "head", 3, 0.6, 0.3)
    assert (popularity.name, popularity.alt) == ("recall_by_popularity", "recall@20 by popularity of the item: head 0.6000")
    assert "country <script>" in dots.alt


def test_a_run_without_groups_has_no_such_section(retrieval):
    run = retrieval("a")
    metrics = {key: value for key, value in json.loads((run / "metrics.json").read_text()).items() if "=" not in key}
    (run / "metrics.json").write_text(json.dumps(metrics))
    assert "slices" not in [part.name for part in sections(RunDirectory.open(run)) if part is not None]


def test_a_user_is_a_row_with_lists(retrieval):
    (examples,) = section(retrieval("a"), "examples").parts
    ((user, had, chose, recommended, recall),) = examples.rows
    assert user.split("\n")[1] == "DE, tents · <script>alert('x')</script> & \"quoted\""
    assert had.split("\n")[1] == "and 6 more"
    assert len(chose.split("\n")) == 1
    assert [line[:5] for line in recommended.split("\n")] == ["1. ✓ ", "2. <s"]
    assert recall == 1.0
