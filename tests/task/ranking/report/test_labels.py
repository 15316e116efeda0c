import io

import pytest
from rich.console import Console

from recsys.report.content import number
from recsys.report.terminal import results_view
from recsys.task.ranking.report import outcomes, tables
from recsys.task.ranking.report.labels import labels_to_show, worth_of_bias

METRICS = {
    "val/log_loss": 0.5,
    "test/click/auc": 0.7,
    "test/click/log_loss": 0.3,
    "test/click/ece": 0.01,
    "test/click/predicted_over_actual": 1.02,
    "test/click/ndcg@5": 0.4,
    "test/click/rows": 1234.0,
    "test/click/auc/low": 0.68,
    "test/click/auc/high": 0.72,
    "test/click/log_loss/low": 0.28,
    "test/click/log_loss/high": 0.32,
    "test/click/ece/low": 0.005,
    "test/click/ece/high": 0.02,
    "test/click/predicted_over_actual/low": 0.9,
    "test/click/predicted_over_actual/high": 1.1,
    "test/click_conversion/auc": 0.8,
    "test/click_conversion/rows": 1234.0,
    "test/spend/rmse": 12.5,
    "test/spend/mae": 8.25,
    "test/spend/rows": 99.0,
    "test/conversion_on_all/mae": 0.02,
    "test/device=phone/click/auc": 0.75,
    "test/device=phone/click/rows": 800.0,
    "test/device=phone/click_conversion/auc": 0.9,
    "test/device=web/click/auc": 0.6,
    "test/trade=hotels/inns/click/auc": 0.65,
    "baseline/hist_gradient_boosting/test/click/auc": 0.66,
    "baseline/hist_gradient_boosting/test/click/log_loss": 0.31,
    "baseline/prior/test/click/auc": 0.5,
    "baseline/hist_gradient_boosting/test/click_conversion/auc": 0.85,
    "baseline/prior/test/spend/rmse": 10.0,
    "baseline/logistic/test/spend/rmse": 15.0,
    "oracle/test/click/auc": 0.75,
}


def verdict(metrics, name):
    return " ".join(outcome.verdict for outcome in outcomes(metrics, name))


def rendered(metrics, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(results_view(tables(metrics, "mmoe"), verdict(metrics, "mmoe")))
    return console.file.getvalue()


def section(metrics, label):
    """Headings and rows of a label's table, split at blanks."""
    blocks = [block.splitlines() for block in rendered(metrics).split("\n\n")]
    lines = blocks[labels_to_show(metrics).index(label)]
    rule = next(number for number, line in enumerate(lines) if line.startswith("──"))
    return lines[rule - 1].split(), [line.split() for line in lines[rule + 1 :] if line.strip()]


def test_labels_and_funnels_have_a_table_each_in_the_order_they_were_logged():
    assert labels_to_show(METRICS) == ["click", "click_conversion", "spend"]
    assert "click: 1,234 impressions" in rendered(METRICS)


def test_rows_are_ranked_and_the_truth_comes_last():
    _, rows = section(METRICS, "click")
    assert [row[0] for row in rows if not row[0][0].isdigit()] == ["mmoe", "hist_gradient_boosting", "prior", "oracle"]
    assert [row[0] for row in section(METRICS, "click_conversion")[1]] == ["hist_gradient_boosting", "mmoe"]


def test_of_a_regression_the_least_error_is_first():
    headings, rows = section(METRICS, "spend")
    assert headings == ["rmse", "mae"]
    assert rows == [["prior", "10.0000", "–"], ["mmoe", "12.5000", "8.2500"], ["logistic", "15.0000", "–"]]


def test_cells_hold_the_metrics_and_the_interval_of_the_model():
    headings, rows = section(METRICS, "click")
    assert headings == ["auc", "log_loss", "ece", "pred./actual"]
    assert rows[0] == ["mmoe", "0.7000", "0.3000", "0.0100", "1.0200"]
    assert rows[1] == ["0.680–0.720", "0.280–0.320", "0.005–0.020", "0.900–1.100"]
    assert rows[2] == ["hist_gradient_boosting", "0.6600", "0.3100", "–", "–"]


def test_groups_show_the_first_metric_of_every_label():
    grid = tables(METRICS, "mmoe")[-1]
    assert grid.columns == ("group", "value", "rows", "click", "click_conversion")
    assert grid.rows == (
        ("device", "phone", 800, 0.75, 0.9),
        ("device", "web", None, 0.6, None),
        ("trade", "hotels/inns", None, 0.65, None),
    )
    lines = [line.split() for line in rendered(METRICS).splitlines()]
    # bars begin at guessing, 0.5: of the best group's 0.25 the others have 0.1 and 0.15, 25.6 and 38.4 of 64 eighths
    assert [line[-1] for line in lines if "phone" in line or "web" in line or "hotels/inns" in line] == ["████████", "███▎", "████▊"]
    assert "groups" not in rendered({key: value for key, value in METRICS.items() if "=" not in key})


def test_tables_fit_into_80_columns_uncut():
    text = rendered(METRICS)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "hist_gradient_boosting" in text


CLICK = {key: METRICS[key] for key in ("test/click/auc", "test/click/rows", "test/click/auc/low", "test/click/auc/high")}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "click: m has auc 0.7000."),
        (
            {"baseline/b/test/click/auc": 0.66, "baseline/c/test/click/auc": 0.5},
            "click: m is ahead of every baseline: auc 0.7000 against 0.6600 of b.",
        ),
        ({"baseline/b/test/click/auc": 0.73}, "click: b is ahead of m: auc 0.7300 against 0.7000."),
        (
            {"baseline/b/test/click/auc": 0.69},
            "click: m is ahead of every baseline: auc 0.7000 against 0.6900 of b. "
            "The difference is within the 95 % interval of m, 0.6800 to 0.7200: a larger test would tell.",
        ),
        (
            {"baseline/b/test/click/auc": 0.71},
            "click: b is ahead of m: auc 0.7100 against 0.7000. The difference is within the 95 % interval of m, 0.6800 to 0.7200: "
            "a larger test would tell.",
        ),
        ({"baseline/b/test/click/auc": 0.7}, "click: m and b are equal: auc 0.7000."),
        ({"oracle/test/click/auc": 0.75}, "click: The truth has 0.7500, 0.0500 away."),
    ],
)
def test_verdict_of_one_label(changes, sentence):
    assert verdict(CLICK | changes, "m") == sentence


def test_verdict_of_a_regression_prefers_the_smaller_error():
    spend = {"test/spend/rmse": 12.5, "test/spend/mae": 8.0, "test/spend/rows": 9.0, "baseline/b/test/spend/rmse": 15.0}
    assert verdict(spend, "m") == "spend: m is ahead of every baseline: rmse 12.5000 against 15.0000 of b."
    assert verdict({**spend, "baseline/c/test/spend/rmse": 10.0}, "m") == "spend: c is ahead of m: rmse 10.0000 against 12.5000."


def test_a_label_of_one_class_is_judged_by_its_log_loss():
    metrics = {"test/buy/log_loss": 0.1, "test/buy/rows": 9.0, "baseline/b/test/buy/log_loss": 0.2, "baseline/c/test/buy/log_loss": 0.05}
    assert verdict(metrics, "m") == "buy: c is ahead of m: log_loss 0.0500 against 0.1000."
    assert [row[0] for row in section(metrics, "buy")[1]] == ["c", "mmoe", "b"]


def test_verdict_speaks_of_every_label_in_turn():
    assert verdict(METRICS, "mmoe") == (
        "click: mmoe is ahead of every baseline: auc 0.7000 against 0.6600 of hist_gradient_boosting. The truth has 0.7500, 0.0500 away. "
        "click_conversion: hist_gradient_boosting is ahead of mmoe: auc 0.8500 against 0.8000. "
        "spend: prior is ahead of mmoe: rmse 10.0000 against 12.5000."
    )


def test_what_bias_columns_are_worth_stands_beside_what_is_served():
    known = {"test/click/auc": 0.74, "baseline/prior/test/click/auc": 0.5, "oracle/test/click/auc": 0.79, "test/spend/rmse": 12.5}
    metrics = METRICS | {f"with_bias/{key}": value for key, value in known.items()}
    assert "bias" not in rendered(METRICS)
    grid = worth_of_bias(metrics, "mmoe")
    rows = [(metric, name, number(served), with_bias) for metric, name, served, with_bias in grid.rows]
    # spend does not change, and hist_gradient_boosting was not measured
    assert rows == [("click auc", "mmoe", 0.7, 0.74), ("click auc", "prior", 0.5, 0.5), ("click auc", "oracle", 0.75, 0.79)]
    assert grid.marks == ("own", "", "truth")
    lines = [line.split() for line in rendered(metrics).splitlines()]
    assert ["prior", "0.5000", "0.5000"] in lines
    # all other tables are those of what is served
    assert [row[:2] for row in section(metrics, "click")[1]] == [row[:2] for row in section(METRICS, "click")[1]]
