import io
import json
import math

import pytest
from rich.console import Console

from recsys.metric.paired import Compared
from recsys.report.compare import Comparison, Measured
from recsys.report.comparison import comparison_report, comparison_table, document, verdict_word, verdicts
from recsys.report.html import page


def one(metric, difference, place=1, old=0.1, smallest=0.004, units=2_000):
    change = difference[0]
    return Compared(metric, place, (old + change, 0.0, 1.0), (old, 0.0, 1.0), difference, smallest, units)


def comparison(*found, runs=("first", "second"), configs=({"loss.temperature": ("0.1", "0.05")},), left_out=()):
    measured = Measured([], list(left_out), "users", 2_000, frozenset({"click/log_loss", "spend/rmse"}))
    return Comparison("retrieval", runs, measured, found, configs, 2_000)


BETTER = one("recall@20", (0.01, 0.002, 0.018))
WORSE = one("ndcg@20", (-0.01, -0.018, -0.002))
UNCLEAR = one("hit_rate@10", (0.001, -0.002, 0.004))
EQUAL = one("recall@20", (0.0, 0.0, 0.0), smallest=0.0)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (BETTER, "better"),
        (WORSE, "worse"),
        (UNCLEAR, "no difference found"),
        (EQUAL, "equal"),
        (one("click/log_loss", (-0.01, -0.02, -0.001)), "better"),
        (one("spend/rmse", (0.01, 0.002, 0.018)), "worse"),
        (one("a", (0.01, 0.0, 0.02)), "no difference found"),
        (one("a", (0.3, 0.3, 0.3), units=9), "too few to tell"),
        (one("a", (0.0, 0.0, 0.0), units=1), "equal"),
    ],
)
def test_a_difference_has_a_word(found, word):
    assert verdict_word(comparison(found), found) == word


def test_better_and_worse_are_told_by_metric():
    (sentence,) = verdicts(comparison(BETTER, WORSE, UNCLEAR))
    assert sentence == (
        "second is better than first in recall@20 (+0.0100, +10.0 %) and worse than first in ndcg@20 (-0.0100, -10.0 %). "
        "No difference was found in hit_rate@10."
    )


def test_equal_runs_are_called_equal():
    assert verdicts(comparison(EQUAL)) == ["second and first are equal: all 2,000 users got the same from both."]


def test_where_nothing_was_found_it_says_what_would_have_been():
    (sentence,) = verdicts(comparison(UNCLEAR))
    assert sentence == (
        "No difference between second and first was found. 2,000 users would have shown one of this size four times out of five: "
        "hit_rate@10 0.0040 (4.0 %)."
    )


def test_every_run_has_a_verdict():
    found = [BETTER, one("recall@20", (0.0, 0.0, 0.0), place=2, smallest=0.0)]
    assert [sentence.split()[0] for sentence in verdicts(comparison(*found, runs=("a", "b", "c"), configs=({}, {})))] == ["b", "c"]


def test_the_table_fits_a_terminal():
    console = Console(file=io.StringIO(), width=80)
    console.print(comparison_table(comparison(BETTER, WORSE)))
    lines = console.file.getvalue().splitlines()
    row = next(line for line in lines if "recall@20" in line).split()
    assert row == ["recall@20", "0.1000", "0.1100", "+0.0100", "0.0040", "better"]
    assert any("+0.0020 to +0.0180" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert lines[0].rstrip() == "second beside first: 2,000 users"
    assert "97.50 %" in " ".join(lines)  # 1 - .05 / 2


def test_json_holds_every_number():
    found = json.loads(json.dumps(document(comparison(BETTER)), allow_nan=False))
    assert found["differences"][0]["difference"] == {"value": 0.01, "low": 0.002, "high": 0.018}
    assert (found["differences"][0]["verdict"], found["users"], found["reference"]) == ("better", 2_000, "first")
    assert found["configs"] == {"second": {"loss.temperature": {"reference": "0.1", "this": "0.05"}}}


def test_the_page_shows_values_and_what_was_changed():
    text = page(comparison_report(comparison(BETTER, runs=("first", "<b>second</b>"))))
    assert "&lt;b&gt;second&lt;/b&gt; is better than first in recall@20" in text
    assert "<b>" not in text
    assert "loss.temperature" in text


def test_what_was_left_out_is_told_everywhere():
    found = comparison(BETTER, left_out=("recall@50 (measured by first)", "ndcg@5 (measured by second)"))
    sentence = "Not compared: recall@50 (measured by first), ndcg@5 (measured by second)."
    console = Console(file=io.StringIO(), width=200)
    console.print(comparison_table(found))
    assert sentence in console.file.getvalue()
    assert sentence in page(comparison_report(found))
    assert document(found)["left_out"] == ["recall@50 (measured by first)", "ndcg@5 (measured by second)"]
    assert "Not compared" not in page(comparison_report(comparison(BETTER)))


def test_too_few_users_are_told_from_no_difference():
    few = one("buy/auc", (0.3, 0.1, 0.5), units=4)
    said = "Too few users to tell second from first, fewer than 20, bear on buy/auc (4)."
    assert verdicts(comparison(few)) == [said]
    assert verdicts(comparison(few, EQUAL)) == [said]
    assert verdicts(comparison(few, BETTER)) == [f"second is better than first in recall@20 (+0.0100, +10.0 %). {said}"]


def test_bounds_that_lie_anywhere_are_null_in_json_and_blank_on_the_page():
    found = comparison(one("a", (0.3, -math.inf, math.inf), smallest=math.inf, units=1))
    (told,) = json.loads(json.dumps(document(found), allow_nan=False))["differences"]
    assert (told["difference"], told["smallest_detectable"], told["users_that_bear"]) == (
        {"value": 0.3, "low": None, "high": None},
        None,
        1,
    )
    assert "+0.3000, -inf to +inf" in page(comparison_report(found))  # what the drawing says to those who cannot see it
