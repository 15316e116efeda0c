"""card.md, from a manifest, a schema and metrics written by hand."""

import itertools
import re

import pytest

from recsys.export.card import card
from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector

SCHEMA = Schema(
    "user_id",
    "item_id",
    time="time",
    features=(
        Categorical("user_id", "user", buckets=1000),
        Numeric("age", "user", log=True, quantiles=4, fill=30.0),
        MultiCategorical("tags", "user", max_len=3),
        History("history", "user", of="item_id", max_len=50),
        Categorical("item_id", "item", min_count=5),
        Vector("image", "item"),
        Timestamp("time", "context"),
        Categorical("position", "bias"),
    ),
    labels=(Label("click"), Label("buy", given="click")),
).fitted(
    {
        "user_id": Statistics("string", size=1002),
        "age": Statistics("float32", mean=3.0),
        "tags": Statistics("string", size=26),
        "history": Statistics("int64", size=2752),
        "item_id": Statistics("int64", size=2752),
        "image": Statistics("float32", size=8),
        "time": Statistics("int64"),
        "position": Statistics("int64", size=12),
    }
)
CHECKPOINT = {"retrieval": {"step": 7, "sha256": "ab" * 32}, "ranking": {"step": 9, "sha256": "cd" * 32}}
BARE = {"created": "2026-11-23T04:00:00+00:00", "versions": {"python": "3.11.7"}, "checkpoint": CHECKPOINT}
RETRIEVAL = {"items": {"column": "item_id", "dtype": "int64", "count": 3000}, "dim": 64}
PART = {"rows": 200, "positives": 20, "users": 9, "items": 9, "rows_of_new_users": 10, "rows_of_new_items": 0}
DATA = {"name": "shop", "store": "830b", "inputs": [], "counts": {"rows": 9}, "dates": None, "boundaries": None, "notes": []}
DATA |= {"split": {"training": {"rows": 800, "positives": 90}, "validation": PART, "test": PART}}
CONFIG = {
    "data": {"source": {"_target_": "recsys.source.shop.Shop"}, "split": {"_target_": "recsys.data.split.LeaveOneOut"}},
    "model": {"_target_": "recsys.model.mmoe.MMoE"},
    "task": {"_target_": "recsys.task.ranking.Ranking", "calibration": {"_target_": "recsys.calibration.platt.Platt"}},
    "trainer": {"accelerator": "cpu"},
}
LINEAGE = {
    "git": {"commit": "12" * 20, "dirty": True},
    "lock": None,
    "data": {"ranking": DATA},
    "config": {"ranking": CONFIG},
    "seed": {"ranking": 3},
    "train": {"ranking": {"git": None}},
}
FULL = {**BARE, **RETRIEVAL, "labels": ["click", "buy", "click_buy"], "lineage": LINEAGE}
FULL |= {"gates": [{"gate": "parity", "passed": True, "limit": "a", "found": "b"}], "latency": {"start_ms": 300.0}}
METRICS = {"test/recall@20": 0.147, "test/click/rows": 90.0, "test/click/positives": 9.0, "test/click/auc": 0.69}
BINS = [
    {"rows": 100, "predicted": 0.1, "actual": 0.12, "low": 0.05, "high": 0.2},
    {"rows": 100, "predicted": 0.3, "actual": 0.5, "low": 0.4, "high": 0.6},
]
CURVE = {"rows": 200, "positives": 62, "bins": BINS, "smallest": 0.05, "largest": 0.45, "histogram": [100, 100]}


def lines(manifest=FULL, metrics=METRICS, *, schema=SCHEMA, **reliability):
    return card(manifest, schema, metrics, reliability=reliability).splitlines()


def headings(text):
    return [line.removeprefix("## ") for line in text if line.startswith("## ")]


def test_card_says_what_it_is_of_and_when_it_was_made():
    text = lines()
    assert text[0] == "# Retrieval and ranking on shop"
    assert text[2].startswith("Made on 2026-11-23T04:00:00+00:00 from the facts of this bundle")


def test_card_names_models_catalogue_labels_and_funnel():
    text = lines()
    assert (
        "- Retrieval (`the model`): from a user's columns to the best of 3,000 items, by dot products in 64 dimensions; "
        "answers `item_id` (int64)."
    ) in text
    assert "- Ranking (`mmoe`): predicts `click`, `buy`, `click_buy` of a row, calibrated by `platt`." in text
    assert ("- `click` → `buy` is a funnel: `buy` is what follows once `click` is 1, `click_buy` what is expected of a row before.") in text


@pytest.mark.parametrize(
    "row",
    [
        '| `user_id` | user | Categorical | string | hashed into 1,000 buckets | missing: the value "unknown" |',
        "| `age` | user | Numeric | float32 | any finite number (log, standardised, 4 quantile buckets) | missing: 30 |",
        '| `tags` | user | MultiCategorical | string | 24, lists of up to 3 | not in training, or missing: the value "unknown" |',
        "| `history` | user | History | int64 | 2,750 of `item_id`, the last 50 | unknown items count as such; may be empty |",
        "| `item_id` | item | Categorical | int64 | 2,750 | "
        'not in training, or in fewer than 5 training rows, or missing: the value "unknown" |',
        "| `image` | item | Vector | float32 | 8 numbers | missing: zeros |",
        "| `time` | context | Timestamp | int64 | s since 1970 UTC: hour and weekday | missing: 1970 |",
        "| `position` | bias | Categorical | int64 | 10, read in training | not read when serving: always unknown |",
    ],
)
def test_card_tells_of_each_column_what_it_holds_and_what_becomes_of_the_rest(row):
    assert row in lines()


def test_a_retriever_alone_reads_no_context():
    text = "\n".join(lines({**BARE, **RETRIEVAL, "checkpoint": {"retrieval": CHECKPOINT["retrieval"]}}))
    assert "| `item_id` | item |" in text
    assert "| `time` |" not in text
    assert "| `position` |" not in text


def test_sections_without_facts_are_left_out():
    assert headings(lines(BARE, {})) == ["What it is", "Limits"]
    assert headings(lines(BARE, METRICS)) == ["What it is", "Quality"]
    every = ["What it is", "Data", "Quality", "Calibration", "Release checks", "Speed", "Lineage", "Limits"]
    assert headings(lines(click=CURVE)) == every


def test_calibration_shows_the_plot_and_counts_groups_off_the_diagonal():
    text = lines(click=CURVE)
    assert "![Reliability curves](calibration.svg)" in text
    assert "| click | 200 | 62 | 2 | 1 | 0.3000 | 0.5000 |" in text
    assert not any("calibration.svg" in line for line in lines())


def limits(**changes):
    """Lines of the last section, for a manifest with these changes."""
    text = lines(**changes)
    return [line.removeprefix("- ") for line in text[text.index("## Limits") + 1 :] if line]


def with_config(**changes):
    return {**FULL, "lineage": {**LINEAGE, "config": {"ranking": {**CONFIG, **changes}}}}


def test_limits_say_that_data_is_simulated_only_where_it_is():
    assert "The data is simulated: its users are a program, and figures say nothing of real ones." in limits()
    real = with_config(data={**CONFIG["data"], "source": {"_target_": "recsys.source.tables.TableFiles"}})
    assert not any("simulated" in line for line in limits(manifest=real))


def test_limits_say_how_many_test_rows_were_of_new_users():
    found = limits()
    assert "5.0 % of the test rows have users that training never saw; more of them than that was not tested." in found
    assert not any("items that training never saw" in line for line in found)


def test_limits_name_columns_that_are_unknown_when_serving():
    found = limits()
    assert "`position`: known only once a row has been shown, so predictions are those of an unknown value." in found
    assert "Retrieval does not read `time`." in found
    assert any(line.startswith("`time`: a missing moment is read as 1970-01-01") for line in found)


@pytest.mark.parametrize(
    ("rows", "positives", "reason"),
    [(12.0, 0.0, "no positive among 12 test rows"), (12.0, 12.0, "no negative among 12 test rows"), (0.0, 0.0, "no row in the test")],
)
def test_limits_say_why_a_label_of_one_class_has_no_auc(rows, positives, reason):
    found = limits(metrics=METRICS | {"test/buy/rows": rows, "test/buy/positives": positives})
    assert f"`buy`: {reason}, so AUC and what needs both classes are n/a." in found
    assert not any(line.startswith("`click`: no") for line in found)


def test_limits_say_what_is_not_known_of_the_code():
    found = limits()
    assert "Code was changed and not committed at: export. The commit alone does not make the bundle again." in found
    assert "The commit is not known of the training of: ranking." in found


def test_limits_say_that_no_figure_is_of_a_gpu_only_where_none_was_used():
    assert "Trained on CPUs; no figure here is of a GPU." in limits()
    assert not any("CPU" in line for line in limits(manifest=with_config(trainer={"accelerator": "gpu"})))


def test_limits_say_that_weights_were_not_tested():
    assert "These weights were never tested." in limits(metrics={"val/click/auc": 0.7, "val/click/rows": 9.0})
    assert not any("never tested" in line for line in limits())


def test_every_table_has_as_many_cells_in_each_row():
    text = lines(click=CURVE)
    tables = [line for line in text if line.startswith("|")]
    assert len(tables) > 20
    for before, line in itertools.pairwise(text):
        if before.startswith("|") and line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", before)) == len(re.findall(r"(?<!\\)\|", line))
