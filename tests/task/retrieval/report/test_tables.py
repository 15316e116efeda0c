"""The tables and words of a retrieval run."""

import io

import pytest
from rich.console import Console

from recsys.report.terminal import results_view
from recsys.task.retrieval.report import outcomes, tables

METRICS = {
    "val/recall@20": 0.5,
    "test/recall@20": 0.12,
    "test/recall@20/low": 0.1,
    "test/recall@20/high": 0.14,
    "test/ndcg@20": 0.06,
    "test/hit_rate@10": 0.2,
    "test/coverage@20": 0.7,
    "baseline/ease/test/recall@20": 0.09,
    "baseline/ease/test/ndcg@20": 0.05,
    "baseline/recent_popularity/test/recall@20": 0.03,
    "oracle/test/recall@20": 0.2,
    "test/activity=1-5/recall@20": 0.08,
    "test/activity=1-5/ndcg@20": 0.04,
    "test/activity=6-20/recall@20": 0.16,
}


def verdict(metrics, name):
    return " ".join(outcome.verdict for outcome in outcomes(metrics, name))


def rendered(metrics, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(results_view(tables(metrics, "two_tower"), verdict(metrics, "two_tower")))
    return console.file.getvalue()


def row(text, name):
    return next(line.split() for line in text.splitlines() if name in line)


def test_rows_are_ranked_and_the_oracle_and_validation_come_last():
    (outcome,) = outcomes(METRICS, "two_tower")
    assert [line[0] for line in outcome.table.rows] == ["two_tower", "ease", "recent_popularity", "oracle", "validation"]
    assert outcome.table.marks == ("own", "", "", "truth", "validation")
    (worse,) = outcomes({**METRICS, "baseline/ease/test/recall@20": 0.13}, "two_tower")
    assert worse.table.column(0)[:2] == ["ease", "two_tower"]


def test_cells_hold_the_metrics_and_the_interval_of_the_model():
    text = rendered(METRICS)
    assert row(text, "two_tower")[1:5] == ["0.1200", "0.0600", "0.2000", "0.7000"]
    assert "0.100–0.140" in text
    assert row(text, "ease")[1:5] == ["0.0900", "0.0500", "–", "–"]


def test_groups_have_only_logged_columns():
    (outcome,) = outcomes(METRICS, "two_tower")
    assert outcome.groups.columns == ("group", "value", "users", "recall@20", "ndcg@20")
    assert outcome.groups.rows == (("activity", "1-5", None, 0.08, 0.04), ("activity", "6-20", None, 0.16, None))
    assert outcomes({key: value for key, value in METRICS.items() if "=" not in key}, "two_tower")[0].groups is None


def test_tables_fit_into_80_columns_uncut():
    text = rendered(METRICS)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "recent_popularity" in text


def test_other_cutoffs_take_the_place_of_20():
    metrics = {key.replace("@20", "@100"): value for key, value in METRICS.items()} | {"test/recall@500": 0.9}
    (outcome,) = outcomes(metrics, "two_tower")
    assert outcome.table.columns == ("", "recall@100", "ndcg@100", "hit_rate@10", "coverage@100")
    assert outcome.groups.rows[1][3] == 0.16
    assert "recall@100 0.1200 against 0.0900 of ease" in outcome.verdict


def test_users_are_counted():
    (outcome,) = outcomes(METRICS | {"test/users": 3258.0, "test/users_left_out": 73.0}, "two_tower")
    assert "3,258 of 3,331 users (73 have" in outcome.table.title


def test_nothing_measured_has_no_outcome():
    assert outcomes({}, "two_tower") == tables({}, "two_tower") == []


def test_verdict_when_the_model_wins():
    # 0.12 / 0.09 = 1.333; 0.12 / 0.2 = 0.6; 0.09 is below the interval
    assert verdict(METRICS, "two_tower") == (
        "two_tower is ahead of every baseline: recall@20 0.1200 against 0.0900 of ease (+33 %). "
        "two_tower reaches 60 % of what knowing the true probabilities gives (0.2000)."
    )


def test_verdict_when_a_baseline_wins_says_so():
    sentence = verdict({**METRICS, "baseline/ease/test/recall@20": 0.15, "oracle/test/recall@20": 0.0}, "two_tower")
    assert sentence == "ease is ahead of two_tower: recall@20 0.1500 against 0.1200 (+25 %)."


def test_verdict_within_the_interval_is_careful():
    sentence = verdict({**METRICS, "baseline/ease/test/recall@20": 0.11}, "two_tower")
    assert "within the 95 % interval of two_tower, 0.1000 to 0.1400" in sentence


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ({"test/recall@20": 0.1}, "m has recall@20 0.1000."),
        ({"test/recall@20": 0.1, "baseline/b/test/recall@20": 0.1}, "m and b are equal: recall@20 0.1000."),
        (
            {"test/recall@20": 0.1, "baseline/b/test/recall@20": 0.0},
            "m is ahead of every baseline: recall@20 0.1000 against 0.0000 of b.",
        ),
    ],
)
def test_verdict_of_few_metrics(metrics, sentence):
    assert verdict(metrics, "m") == sentence
