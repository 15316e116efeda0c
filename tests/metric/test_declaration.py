"""A metric is declared in one place: a new one is computed, kept, shown and compared without another word."""

import io
import json

import polars as pl
import pytest
import torch
from rich.console import Console

from recsys.logger.page import log_report
from recsys.metric import ranking as families
from recsys.metric.beyond_accuracy import self_information
from recsys.metric.declaration import Declaration, usual_columns
from recsys.metric.per_user import UserMetrics, summary
from recsys.metric.scores import Dense
from recsys.metric.top_k import top_k
from recsys.report.compare import compare
from recsys.report.comparison import beside_first
from recsys.report.html import page
from recsys.report.release import quality
from recsys.report.run import report_of
from recsys.report.terminal import results_view
from recsys.task.base import facet


def last_place(ranking, ks):
    """Whether the last of the first k is relevant."""
    return ranking.expected()[:, torch.tensor(ks) - 1]


@pytest.fixture
def toy(monkeypatch):
    """A per-user metric of which less is better, declared as a new one would be: with the others, once."""
    words = "whether the last of the first k was chosen"
    metric = Declaration("toy", words, measure=last_place, better="less", cutoff=20, place=2, beside=True, compared=True, rivals=True)
    monkeypatch.setattr(families, "METRICS", (*families.METRICS, metric))
    return metric


def with_toy(run, values):
    """The run, had it measured the toy metric too."""
    metrics = json.loads((run / "metrics.json").read_text())
    metrics |= {"test/toy@20": sum(values) / len(values), "test/toy@20/low": 0.01, "test/toy@20/high": 0.99}
    metrics["baseline/ease/test/toy@20"] = 0.125
    (run / "metrics.json").write_text(json.dumps(metrics))
    table = pl.read_parquet(run / "per_user.parquet")
    table.with_columns(pl.Series("test/toy@20", values)).write_parquet(run / "per_user.parquet")
    return run


def test_a_declared_metric_is_computed_for_every_user(toy):
    nothing, relevant = torch.empty((2, 0), dtype=torch.int64), torch.tensor([[0, 0], [1, 3]])
    metrics = UserMetrics([1, 2], [2], bits=self_information(torch.tensor([0, 1, 1, 1])), groups=[])
    top = top_k(Dense(torch.tensor([[0.0, 3.0, 1.0, 2.0]])), 2, known=nothing, relevant=relevant)
    metrics.update(torch.tensor([7]), top, relevant)
    values = summary(metrics.compute(), [1, 2], 3)
    assert (values["toy@1"], values["toy@2"]) == (1.0, 1.0)  # items 1 and 3 come first and second


def test_a_declared_metric_is_on_the_terminal_the_page_the_card_and_w_and_b(toy, retrieval):
    run = with_toy(retrieval("a"), [0.25, 0.25, 0.75, 0.75])
    metrics, task = json.loads((run / "metrics.json").read_text()), facet("retrieval", "report")
    console = Console(file=io.StringIO(), width=80)
    console.print(results_view(task.tables(metrics, "two_tower"), ""))
    terminal, card, report = console.file.getvalue(), "\n".join(quality(metrics, {"retrieval": "two_tower"})), report_of(run)
    html = page(report)
    for text in (terminal, card, html):
        assert "toy@20" in text
        assert "0.5000" in text
        assert "0.010–0.990" in text
        assert "0.1250" in text  # of the baseline
    assert "whether the last of the first 20 was chosen; less is better" in html

    rows = Rows()
    log_report(rows, run, report, step=3)
    headline, baselines = rows.parts["headline"], rows.parts["baselines"]
    assert next(row for row in headline.data if row[0] == "toy@20")[1:4] == [0.5, 0.01, 0.99]
    assert "toy@20" in baselines.columns


class Rows:
    """The run at Weights & Biases, which keeps what it is given."""

    def __init__(self):
        self.summary = {}

    def log(self, parts, *, step, commit):
        self.parts = parts


def test_a_declared_metric_is_compared_in_its_direction(toy, retrieval):
    runs = [with_toy(retrieval("a"), [0.25] * 4), with_toy(retrieval("b"), [0.75] * 4)]
    comparison = compare(runs)
    rows = {row[0]: row for row in beside_first(comparison, 1).rows}
    assert rows["toy@20"][1:3] == (0.25, 0.75)
    assert rows["toy@20"][3].value == 0.5
    assert comparison.measured.less_is_better == {"toy@20"}


def test_a_metric_stands_at_the_measured_cutoff_nearest_to_its_usual_one():
    recall = Declaration("recall", "share of the first k", measure=None, cutoff=20, place=1)
    auc = Declaration("auc", "order", measure=None)
    keys = ["test/auc", "test/recall@10", "test/recall@30", "test/recall@500", "val/recall@20", "test/a=b/recall@20", "test/recall@20/low"]
    assert list(usual_columns([auc, recall], keys, "test/")) == ["recall@10", "auc"]  # of two that are as near, the smaller
    assert list(usual_columns([auc, recall], keys, "test/a=b/")) == ["recall@20"]
    assert usual_columns([auc, recall], keys, "oracle/test/") == {}


def test_words_name_cutoff_unit_and_direction():
    metric = Declaration("x", "surprise at the first k", measure=None, better="less", unit="bits", cutoff=20)
    assert metric.meaning("x@50") == "surprise at the first 50, in bits; less is better"
    assert (metric.order, Declaration("y", "z", measure=None).order) == (-1, 1)
