import io
import json
import re

import pytest
from rich.console import Console

from recsys.report.terminal import grid_table
from recsys.run.directory import RunDirectory
from recsys.task.ranking.report import outcomes
from recsys.task.ranking.report.pair import outcome, section, verdict

OBSERVED = {
    "pair/retriever/test/recall@10": 0.05,
    "pair/retriever/test/recall@20": 0.10,
    "pair/retriever/test/ndcg@20": 0.04,
    "pair/retriever/test/recall@200": 0.5,
    "pair/retriever/test/recall@20/low": 0.09,
    "pair/retriever/test/recall@20/high": 0.11,
    "pair/test/recall@10": 0.04,
    "pair/test/recall@20": 0.08,
    "pair/test/ndcg@20": 0.03,
    "pair/test/recall@20/low": 0.07,
    "pair/test/recall@20/high": 0.095,
    "pair/test/recall@20/gain": -0.02,
    "pair/test/recall@20/gain/low": -0.03,
    "pair/test/recall@20/gain/high": -0.01,
    "pair/test/candidates": 200.0,
    "pair/test/users": 1234.0,
}
TRUE = OBSERVED | {
    "pair/retriever/test/true_click@20": 0.16,
    "pair/test/true_click@20": 0.20,
    "pair/oracle/test/true_click@20": 0.25,
    "pair/exposed_oracle/test/true_click@20": 0.18,
    "pair/best/test/true_click@20": 0.40,
    "pair/oracle/test/recall@20": 0.09,
    "pair/exposed_oracle/test/recall@20": 0.30,
    "pair/test/true_click@20/gain/low": 0.03,
    "pair/test/true_click@20/gain/high": 0.05,
}


def rendered(table):
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    return console.file.getvalue()


def rows(metrics):
    """Cells of the table's rows, split at two blanks."""
    lines = rendered(grid_table(outcome(metrics).table)).splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("──"))
    return lines[rule - 1].split(), [re.split(r" {2,}", line.strip()) for line in lines[rule + 1 :] if line.strip()]


def test_orders_of_the_candidates_stand_below_each_other():
    headings, found = rows(TRUE)
    assert headings == ["recall@20", "ndcg@20", "true_click@20"]
    assert [row[0] for row in found if not row[0][0].isdigit()] == [
        "retriever",
        "pair",
        "oracle, if shown",
        "oracle, as exposed",
        "best of the catalogue",
    ]
    table = {name: values for name, *values in found}
    assert table["retriever"] == ["0.1000", "0.0400", "0.1600"]
    assert table["pair"] == ["0.0800", "0.0300", "0.2000"]
    assert table["oracle, if shown"] == ["0.0900", "–", "0.2500"]
    assert table["best of the catalogue"] == ["–", "–", "0.4000"]
    text = rendered(grid_table(outcome(TRUE).table))
    assert "Retrieve 200, then rank: 1,234 test users" in text
    assert "0.090–0.110" in text
    assert "0.070–0.095" in text
    assert max(map(len, text.splitlines())) <= 80


def test_without_truth_the_table_has_what_was_observed():
    headings, found = rows(OBSERVED)
    assert headings == ["recall@20", "ndcg@20"]
    assert [row[0] for row in found if not row[0][0].isdigit()] == ["retriever", "pair"]


def test_the_cutoff_nearest_to_20_is_shown():
    metrics = {key.replace("@20", "@30"): value for key, value in OBSERVED.items()}
    assert rows(metrics)[0] == ["recall@10"]  # as near as 30, and ndcg was measured at 30 alone
    assert rows({key: value for key, value in metrics.items() if "@10" not in key})[0] == ["recall@30", "ndcg@30"]


def test_the_pair_comes_behind_the_labels_or_not_at_all():
    label = {"test/click/auc": 0.7, "test/click/log_loss": 0.3, "test/click/ece": 0.1, "test/click/rows": 9.0}
    assert [each.table.name for each in outcomes(label | TRUE, "mmoe")] == ["baselines/click", "pair"]
    assert [each.table.name for each in outcomes(label, "mmoe")] == ["baselines/click"]


def test_a_report_has_the_pair_where_there_is_one(ranking):
    run = ranking("a")
    assert section(RunDirectory.open(run)) is None
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | TRUE))
    (grid,) = section(RunDirectory.open(run)).parts
    assert grid.rows[0] == ("retriever", (0.1, 0.09, 0.11), (0.04, None, None), (0.16, None, None))
    assert grid.marks == ("reference", "own", "truth", "truth", "truth")


def test_verdict_with_truth_says_what_was_gained_what_was_lost_and_why():
    assert verdict(TRUE) == (
        "Ranked, the first 20 have a true click probability of 0.2000 instead of 0.1600 (+25 %): 80 % of what the truth makes of the same "
        "candidates (0.2500), 50 % of the best of the catalogue (0.4000). "
        "Of what the test users chose, ranking finds recall@20 0.0800 instead of 0.1000 (-20 %). "
        "Users choose among what is shown to them: a retriever learns that too, a probability if shown leaves it out; "
        "even the true one finds 0.0900."
    )


@pytest.mark.parametrize(
    ("changes", "ending"),
    [
        ({}, "(-20 %). Users choose among what is shown to them: a retriever learns that too, a probability if shown leaves it out."),
        ({"pair/oracle/test/recall@20": 0.12}, "a probability if shown leaves it out; the true one finds 0.1200."),
        ({"pair/test/recall@20": 0.15}, "ranking finds recall@20 0.1500 instead of 0.1000 (+50 %)."),
        ({"pair/test/recall@20": 0.10}, "ranking finds recall@20 0.1000 instead of 0.1000 (+0 %)."),
        ({"pair/test/recall@20": 0.11, "pair/test/recall@20/gain/high": 0.001}, "instead of 0.1000 (+10 %), which may be chance."),
        ({"pair/retriever/test/recall@20": 0.0, "pair/test/recall@20": 0.01}, "ranking finds recall@20 0.0100 instead of 0.0000."),
    ],
)
def test_verdict_of_what_was_observed(changes, ending):
    said = verdict(OBSERVED | changes)
    assert said.startswith("Of what the test users chose, ranking finds recall@20 ")
    assert said.endswith(ending)


def test_a_funnel_is_named_by_its_labels():
    metrics = {key.replace("true_click", "true_click_conversion"): value for key, value in TRUE.items()}
    assert verdict(metrics).startswith("Ranked, the first 20 have a true click_conversion probability of 0.2000 instead of 0.1600")
