"""Features held against labels in a prepared store: 1,000 training rows of 100 users, a quarter of them clicked, and 200 others."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from recsys.data.check.leaked_labels import FeatureAuc, feature_aucs, leak_faults
from recsys.data.split import Given
from recsys.data.store import Store
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical, Feature, History, Label, MultiCategorical, Numeric, Schema, Timestamp, Vector
from recsys.source.base import Source, Tables

N = 1_200
CLICK = np.tile([0, 0, 0, 1], N // 4)
PART = np.repeat(["train", "val", "test"], [1_000, 100, 100])
RANDOM = np.random.Generator(np.random.Philox(5))
CLICKS = (Label("click"),)
USER = RANDOM.integers(0, 100, N)
ITEM = RANDOM.integers(0, 20, N)


@dataclass
class Frame(Source):
    rows: pl.DataFrame
    items: pl.DataFrame | None = None

    def tables(self) -> Tables:
        return Tables(self.rows.lazy(), items=None if self.items is None else self.items.lazy())


def prepared(tmp_path, *features: Feature, labels=CLICKS, positive=None, items=None, **columns) -> Store:
    times = 1_700_000_000 + np.arange(N)
    rows = pl.DataFrame({"user": USER, "item": ITEM, "time": times, "part": PART, "click": CLICK} | columns)
    schema = Schema("user", "item", "time", "s", features=features, labels=labels, positive=positive)
    split = Given("part")
    return prepare(Frame(rows, items), schema, split, folder=tmp_path, bad_rows="fail", max_unknown_share=1.0, max_feature_auc=1.0)


def auc(tmp_path, feature: Feature, **columns) -> float:
    (found,), _ = feature_aucs(prepared(tmp_path, feature, **columns))
    return found.auc


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Categorical, CLICK),
        (Numeric, CLICK),
        (Categorical, 1 - CLICK),
        (Numeric, -3.5 * CLICK),
        (Categorical, np.where(np.isin(np.arange(N), [3, 400, 501, 702]), 1 - CLICK, CLICK)),  # of 250 clicks, 1, and 3 others
        (Categorical, [["yes", "no"][click] for click in CLICK]),
        (Categorical, [f"order-{row}" if click else None for row, click in enumerate(CLICK)]),
        (Timestamp, 1_700_000_000 + 3_600 * CLICK + RANDOM.integers(0, 3_600, N)),
        (MultiCategorical, [["seen", "clicked"][: 1 + click] for click in CLICK]),
    ],
    ids=["copy", "copied number", "negated", "negated number", "noisy", "words", "order ids", "later moments", "entries"],
)
def test_what_was_written_after_the_click_is_found(kind, values, tmp_path):
    assert auc(tmp_path, kind("leak", "context"), leak=values) > 0.99


def test_seconds_after_the_click_are_found_where_others_are_missing(tmp_path):
    dwell_s = [RANDOM.random() if click else None for click in CLICK]
    assert auc(tmp_path, Numeric("dwell_s", "context", fill=0.5), dwell_s=dwell_s) == 1


def test_a_position_that_was_noted_at_the_click_is_found(tmp_path):
    assert auc(tmp_path, Categorical("position", "bias"), position=[2 if click else None for click in CLICK]) == 1


@pytest.mark.parametrize("feature", [Categorical("user", "user"), Categorical("item", "item"), Timestamp("time", "context")])
def test_ids_and_the_time_are_no_alarm(feature, tmp_path):
    assert auc(tmp_path, feature) < 0.7


def test_a_column_of_the_items_table_is_joined_to_its_rows(tmp_path):
    often = ITEM < 5
    click = np.where(often, RANDOM.random(N) < 0.995, RANDOM.random(N) < 0.005).astype(int)
    items = pl.DataFrame({"item": np.arange(20), "clicks": np.where(np.arange(20) < 5, 50.0, 2.0)})
    assert auc(tmp_path, Numeric("clicks", "item"), items=items, click=click) > 0.98
    assert auc(tmp_path, Numeric("clicks", "item"), items=items) < 0.6


def test_history_counts_its_items(tmp_path):
    row = np.arange(N)
    click = ((row < 120) | (row >= 1_000)).astype(int)  # in training each of 120 users clicks once, at first
    features = Categorical("item", "item"), History("history", "user", of="item")
    of_item, of_history = feature_aucs(prepared(tmp_path, *features, positive="click", user=row % 120, click=click))[0]
    assert of_item.auc < 0.6
    assert of_history.auc == 1


def test_vectors_are_left_out(tmp_path):
    assert feature_aucs(prepared(tmp_path, Vector("image", "context"), image=[[float(click)] for click in CLICK])) == ([], [])


def test_validation_and_test_rows_are_not_looked_at(tmp_path):
    values = np.where(PART == "train", RANDOM.integers(0, 2, N), 5 + CLICK)
    (found,), _ = feature_aucs(prepared(tmp_path, Categorical("late", "context"), late=values))
    assert found.auc < 0.6
    assert found.rows == 1_000


def test_a_label_that_is_given_another_is_asked_where_that_is_1(tmp_path):
    order = CLICK * RANDOM.integers(0, 2, N)
    paid = np.where(CLICK == 1, order, RANDOM.integers(0, 2, N))  # at random without a click
    labels = Label("click"), Label("order", given="click")
    found, _ = feature_aucs(prepared(tmp_path, Categorical("paid", "context"), labels=labels, order=order, paid=paid))
    of_click, of_order = found
    assert of_click.auc < 0.6
    assert of_order == FeatureAuc("paid", "order", 1.0, 250, "click")


def test_missing_labels_are_left_out(tmp_path):
    click = [None if row % 3 == 0 else int(click) for row, click in enumerate(CLICK)]
    copied = [1 - CLICK[row] if click[row] is None else CLICK[row] for row in range(N)]
    (found,), _ = feature_aucs(prepared(tmp_path, Categorical("copied", "context"), click=click, copied=copied))
    known = (PART == "train") & (np.arange(N) % 3 != 0)
    assert (found.auc, found.rows) == (1.0, known.sum())


@pytest.mark.parametrize("clicks", [49, 951])
def test_too_few_rows_of_a_class_are_a_note(clicks, tmp_path):
    rare = (np.arange(N) < clicks).astype(int)
    labels = Label("rare"), Label("click"), Label("spent", kind="regression")
    store = prepared(tmp_path, Categorical("copied", "context"), labels=labels, rare=rare, spent=rare, copied=rare)
    found, notes = feature_aucs(store)
    assert notes == ["label 'rare': no feature was checked for leaking it, with 49 training rows of 0 or of 1"]
    assert notes[0] in store.notes
    assert [entry.label for entry in found] == ["click"]


def test_fifty_rows_of_a_class_are_enough(tmp_path):
    rare = (np.arange(N) < 50).astype(int)
    assert auc(tmp_path, Categorical("copied", "context"), click=rare, copied=rare) == 1


def test_of_many_rows_a_fixed_choice_is_looked_at(tmp_path, monkeypatch):
    store = prepared(tmp_path, Categorical("copied", "context"), copied=CLICK)
    monkeypatch.setattr("recsys.data.check.leaked_labels.MAX_ROWS", 600)
    (found,), _ = feature_aucs(store)
    assert 500 < found.rows < 700
    assert found.auc == 1
    assert feature_aucs(store)[0] == [found]


def test_fault_names_feature_label_auc_rows_and_remedy():
    found = [
        FeatureAuc("paid", "order", 0.99512, 1234, "click"),
        FeatureAuc("dwell_s", "click", 1.0, 20_000, None),
        FeatureAuc("age", "click", 0.99, 20_000, None),
    ]
    first, second = leak_faults(found, 0.99)
    assert first.what == (
        "feature 'paid' alone tells label 'order': AUC 0.9951 over 1,234 training rows where click=1, above data.max_feature_auc=0.99; "
        "it was probably written after the fact"
    )
    assert first.where == "data.features, column 'paid'"
    assert first.remedy == ("leave the column out of data.features, or raise data.max_feature_auc (1 = off) if it is known before order")
    assert second.what.startswith("feature 'dwell_s' alone tells label 'click': AUC 1.0000 over 20,000 training rows, above")
    assert leak_faults(found, 1.0) == []
