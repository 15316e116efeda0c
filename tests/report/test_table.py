import io

import pytest
from rich.console import Console

from recsys.report.table import BAR_WIDTH, bar, result_table, verdict

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


def rendered(metrics, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(result_table(metrics, "two_tower"))
    return console.file.getvalue()


def row(text, name):
    return next(line.split() for line in text.splitlines() if name in line)


def test_rows_are_ranked_and_the_oracle_comes_last():
    lines = rendered(METRICS).splitlines()
    order = [
        next(number for number, line in enumerate(lines) if line.startswith(name)) for name in ("two_tower", "ease", "recent_pop", "oracle")
    ]
    assert order == sorted(order)
    worse = rendered({**METRICS, "baseline/ease/test/recall@20": 0.13}).splitlines()
    first = next(line for line in worse if line.startswith(("two_tower", "ease")))
    assert first.startswith("ease")


def test_cells_hold_the_metrics_and_the_interval_of_the_model():
    text = rendered(METRICS)
    assert row(text, "two_tower")[2:] == ["0.1200", "0.0600", "0.2000", "0.7000"]
    assert "0.100–0.140" in text
    assert row(text, "ease")[2:] == ["0.0900", "0.0500", "–", "–"]


def test_slices_name_a_group_once_and_only_logged_columns():
    text = rendered(METRICS)
    assert row(text, "1-5")[0] == "activity"
    assert row(text, "1-5")[-2:] == ["0.0800", "0.0400"]
    assert row(text, "6-20")[0] == "6-20"
    assert row(text, "6-20")[-2:] == ["0.1600", "–"]
    assert "groups" not in rendered({key: value for key, value in METRICS.items() if "=" not in key})


def test_table_fits_into_80_columns_uncut():
    text = rendered(METRICS)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "recent_popularity" in text


def test_other_cutoffs_take_the_place_of_20():
    metrics = {key.replace("@20", "@100"): value for key, value in METRICS.items()} | {"test/recall@500": 0.9}
    text = rendered(metrics)
    assert text.splitlines()[1].split() == ["recall@100", "ndcg@100", "hit_rate@10", "coverage@100"]
    assert row(text, "6-20")[-2] == "0.1600"
    assert verdict(metrics, "two_tower").startswith("two_tower is above every baseline: recall@100 0.1200")


def test_verdict_when_the_model_wins():
    # 0.12 / 0.09 = 1.333; 0.12 / 0.2 = 0.6; 0.09 is below the interval
    assert verdict(METRICS, "two_tower") == (
        "two_tower is above every baseline: recall@20 0.1200 against 0.0900 of ease (+33 %). "
        "two_tower reaches 60 % of what knowing the true probabilities gives (0.2000)."
    )


def test_verdict_when_a_baseline_wins_says_so():
    sentence = verdict({**METRICS, "baseline/ease/test/recall@20": 0.15, "oracle/test/recall@20": 0.0}, "two_tower")
    assert sentence == "ease wins: recall@20 0.1500 against 0.1200 of two_tower (+25 %)."


def test_verdict_within_the_interval_is_careful():
    sentence = verdict({**METRICS, "baseline/ease/test/recall@20": 0.11}, "two_tower")
    assert "within the 95 % interval of two_tower, 0.1000 to 0.1400" in sentence


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ({"test/recall@20": 0.1}, "m: recall@20 0.1000."),
        ({"test/recall@20": 0.1, "baseline/b/test/recall@20": 0.1}, "m and b are equal: recall@20 0.1000."),
        ({"test/recall@20": 0.1, "baseline/b/test/recall@20": 0.0}, "m is above every baseline: recall@20 0.1000 against 0.0000 of b."),
    ],
)
def test_verdict_of_few_metrics(metrics, sentence):
    assert verdict(metrics, "m") == sentence


def test_bar_is_as_long_as_its_share():
    assert bar(1.0, 1.0) == "█" * BAR_WIDTH
    assert bar(0.0, 1.0) == ""
    assert bar(0.0, 0.0) == ""
    assert bar(1 / BAR_WIDTH / 2, 1.0) == "▌"  # half of one character
