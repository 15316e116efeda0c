import json

from recsys.report.sections import groups
from recsys.run.files import RunFiles


def test_a_group_has_its_users_and_metrics(retrieval):
    popularity, dots, grid = groups.section(RunFiles.open(retrieval("a"))).parts
    assert grid.columns == ("group", "value", "users", "recall@20", "ndcg@20")
    assert grid.rows[0] == ("popularity", "head", 3, 0.6, 0.3)
    assert (popularity.name, popularity.alt) == ("recall_by_popularity", "recall@20 by popularity of the item: head 0.6000")
    assert "country <script>" in dots.alt


def test_groups_of_rows_have_a_column_per_label(ranking):
    _, grid = groups.section(RunFiles.open(ranking("a"))).parts
    assert grid.columns[:5] == ("group", "value", "rows", "click auc", "click pred./actual")
    assert grid.rows[0][2:5] == (200, 0.7, None)


def test_a_run_without_groups_has_no_such_section(retrieval):
    run = retrieval("a")
    metrics = {key: value for key, value in json.loads((run / "metrics.json").read_text()).items() if "=" not in key}
    (run / "metrics.json").write_text(json.dumps(metrics))
    assert groups.section(RunFiles.open(run)) is None
