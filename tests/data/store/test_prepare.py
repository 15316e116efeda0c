import hashlib
import shutil
from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest
import torch

from recsys.data.split import Given, LeaveOneOut, Temporal
from recsys.data.store.build import build
from recsys.data.store.prepare import prepare
from recsys.errors import DataError, IntegrityError
from recsys.schema import Categorical, History, Numeric, Schema


def run(source, schema, split, tmp_path, bad_rows="fail", max_unknown_share=0.5, max_feature_auc=0.99):
    return prepare(
        source,
        schema,
        split,
        folder=tmp_path / "store",
        bad_rows=bad_rows,
        max_unknown_share=max_unknown_share,
        max_feature_auc=max_feature_auc,
    )


def stores(tmp_path):
    return sorted(path.name for path in (tmp_path / "store").iterdir() if path.is_dir())


def rewrite(source, change):
    path = source.root / "interactions.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def test_vocabularies_come_from_training_rows(store):
    # item d is clicked in validation and test only, dora comes in the test, cid never clicked: unknown as ids
    assert store.item_features["item"].tolist() == [0, 2, 3, 4, 1, 1]
    assert store.user_features["user"].tolist() == [0, 2, 3, 1, 1, 1]
    # 4 training rows of women (ann), 3 + 1 of men (bob, cid); eve's x has none
    assert store.user_features["gender"].tolist() == [0, 2, 3, 3, 2, 1]
    # red: 3 + 2 rows (a) and 2 (c), 3 rows of new (a); blue is on d and e alone
    assert store.vocabulary("tags").to_list() == [None, None, "red", "new"]
    assert store.item_features["tags"].tolist() == [[0, 0], [2, 3], [0, 0], [2, 0], [1, 0], [2, 1]]
    assert store.context_features["device"].tolist() == [2, 3, 2, 2, 2, 4, 3, 2, 4, 3, 2, 2, 3]


def test_statistics_come_from_training_rows(store):
    # ages 20 in four rows, 30 in three, 40 in one; prices 1 in three rows (0, 3, 7), 2 in three (1, 2, 6), 4 in two (4, 5)
    assert store.schema.statistics["age"].mean == pytest.approx(26.25)
    assert store.schema.statistics["price"].mean == pytest.approx((3 * 1 + 3 * 2 + 2 * 4) / 8)
    assert store.user_features["age"].tolist() == [0, 20, 30, 40, 50, 60]
    sha256 = hashlib.sha256(store.vocabulary_path("item").read_bytes()).hexdigest()
    assert store.schema.statistics["item"].vocabulary_sha256 == sha256
    assert store.schema.statistics["history"] == store.schema.statistics["item"]


def test_notes_tell_what_happened(store):
    text = "\n".join(store.notes)
    assert "read from files" in text
    assert "13 interactions of 5 users and 5 items: 8 training (6 positive), 2 validation (2 positive), 3 test (2 positive)" in text
    assert "1 of 3 test rows (33.3%) have a 'user' that training never saw" in text
    assert "1 of 2 validation rows (50.0%) have a 'item' that training never saw" in text


def test_many_unknown_rows_are_refused(source, shop_schema, cut, tmp_path):
    with pytest.raises(DataError, match=r"33\.3%[\s\S]*raise data\.max_unknown_share=0\.2"):
        run(source, shop_schema, cut, tmp_path, max_unknown_share=0.2)


def leaking(source, shop_schema):
    """The shop ten times over, with a device that only clicks have."""
    days = pl.col("time") + pl.duration(minutes=pl.int_range(pl.len()))
    told = pl.when(pl.col("click") == 1).then("device").alias("device")
    rewrite(source, lambda rows: pl.concat([rows] * 60).with_columns(days, told))
    return shop_schema


def test_a_feature_that_tells_a_label_is_refused_each_time(source, shop_schema, cut, tmp_path):
    schema = leaking(source, shop_schema)
    # 8 training rows of 13, six of them clicked
    said = r"feature 'device' alone tells label 'click': AUC 1\.0000 over 480 training rows, above data\.max_feature_auc=0\.99"
    for _ in range(2):
        with pytest.raises(DataError, match=said):
            run(source, schema, cut, tmp_path)
    assert len(stores(tmp_path)) == 1


def test_a_raised_limit_takes_the_store_that_was_refused(source, shop_schema, cut, tmp_path, monkeypatch):
    schema = leaking(source, shop_schema)
    with pytest.raises(DataError, match="alone tells"):
        run(source, schema, cut, tmp_path)
    monkeypatch.setattr("recsys.data.store.prepare.build", None)
    assert len(run(source, schema, cut, tmp_path, max_feature_auc=1.0).user) == 780


def test_the_same_request_finds_the_same_store(store, source, shop_schema, cut, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.data.store.prepare.build", None)
    assert run(source, shop_schema, cut, tmp_path).path == store.path


@pytest.mark.parametrize("what", ["rows", "schema", "split", "bad_rows"])
def test_whatever_changes_the_result_changes_the_store(what, store, source, shop_schema, cut, tmp_path):
    if what == "rows":
        rewrite(source, lambda rows: rows.with_columns(click=1))
    schema = replace(shop_schema, positive=None) if what == "schema" else shop_schema
    split = Temporal(val_start="2024-01-09", test_start="2024-01-11") if what == "split" else cut
    run(source, schema, split, tmp_path, bad_rows="quarantine" if what == "bad_rows" else "fail")
    assert len(stores(tmp_path)) == 2


def test_faulty_rows_are_set_aside_outside_the_store(source, shop_schema, cut, tmp_path):
    rewrite(source, lambda rows: rows.with_columns(click=pl.when(pl.col("day") == 13).then(7).otherwise("click")))
    store = run(source, shop_schema, cut, tmp_path, bad_rows="quarantine")
    assert len(store.user) == 12
    assert (tmp_path / "store" / f"{store.path.name}.quarantine" / "interactions.parquet").exists()


def test_a_refusal_leaves_no_store(source, shop_schema, cut, tmp_path):
    rewrite(source, lambda rows: rows.with_columns(click=7))
    with pytest.raises(DataError, match="label other than"):
        run(source, shop_schema, cut, tmp_path)
    assert stores(tmp_path) == []


def test_training_rows_repeated_in_the_test_are_refused(source, shop_schema, tmp_path):
    part = pl.Series("part", ["train"] * 8 + ["val"] * 2 + ["test"] * 3)
    rewrite(source, lambda rows: pl.concat([rows.with_columns(part), rows[:1].with_columns(part=pl.lit("test"))]))
    with pytest.raises(DataError, match="same user, item and time stand in two splits"):
        run(source, shop_schema, Given("part"), tmp_path)


def test_a_test_of_strangers_is_refused(source, shop_schema, cut, tmp_path):
    stranger = pl.when(pl.col("time") > datetime(2024, 1, 10)).then(pl.lit("new-") + pl.col("user")).otherwise("user")
    rewrite(source, lambda rows: rows.with_columns(user=stranger))
    with pytest.raises(DataError, match="never saw the 'user' of any of the 3 test rows"):
        run(source, shop_schema, cut, tmp_path, max_unknown_share=1.0)


def test_the_split_column_is_found_by_its_nearest_name(source, shop_schema, tmp_path):
    with pytest.raises(DataError, match=r"no column 'clik'; did you mean 'click'\?[\s\S]*data.split.column"):
        run(source, shop_schema, Given("clik"), tmp_path)


def test_a_history_needs_an_order(source, shop_schema, tmp_path):
    with pytest.raises(DataError, match="history: a history needs the order"):
        run(source, replace(shop_schema, time=None), LeaveOneOut(), tmp_path)


def test_a_leak_is_noted(source, shop_schema, tmp_path):
    assert any("leaks the future" in note for note in run(source, shop_schema, LeaveOneOut(), tmp_path, max_unknown_share=0.7).notes)


def test_without_time_rows_keep_file_order_and_know_no_history(source, tmp_path):
    store = run(source, Schema("user", "item", features=(Categorical("user", "user"),)), LeaveOneOut(), tmp_path)
    assert store.time.tolist() == [0] * 13
    assert store.boundaries is None
    assert store.item[:6].tolist() == [1, 2, 2, 3, 1, 4]  # ann's, as in the file


def test_features_of_a_missing_table_are_what_the_first_row_says(source, tmp_path):
    (source.root / "users.parquet").unlink()
    features = (
        Categorical("user", "user"),
        Categorical("device", "user"),
        History("history", "user", of="item"),
        Categorical("item", "item"),
    )
    schema = Schema("user", "item", "time", features=features)
    store = run(source, schema, Temporal(val_start="2024-01-08", test_start="2024-01-11"), tmp_path)
    # ann phone, bob web, cid phone; dora web. Rows of training: ann 4, bob 3, cid 1
    assert store.user_ids.to_list() == [None, "ann", "bob", "cid", "dora"]
    assert store.vocabulary("device").to_list() == [None, None, "phone", "web"]
    assert store.user_features["device"].tolist() == [0, 2, 3, 2, 3]


def test_numbers_missing_in_the_raw_table_are_missing_in_the_store(source, shop_schema, cut, tmp_path):
    pl.DataFrame({"item": ["a", "b", "c", "d"], "tags": [["red"]] * 4, "price": [1.0, None, 4.0, 8.0]}).write_parquet(
        source.root / "items.parquet"
    )
    filled = [Numeric("price", "item", fill=0.0) if feature.column == "price" else feature for feature in shop_schema.features]
    store = run(source, replace(shop_schema, features=tuple(filled)), cut, tmp_path)
    assert torch.isnan(store.item_features["price"]).tolist() == [False, False, True, False, False]
    assert store.schema.statistics["price"].mean == pytest.approx((3 * 1 + 3 * 0 + 2 * 4) / 8)


def test_an_input_that_changes_meanwhile_is_refused(source, shop_schema, cut, tmp_path, monkeypatch):
    def built(*arguments, **named):
        result = build(*arguments, **named)
        (source.root / "users.parquet").write_bytes(b"other")
        return result

    monkeypatch.setattr("recsys.data.store.prepare.build", built)
    with pytest.raises(IntegrityError, match=r"users\.parquet"):
        run(source, shop_schema, cut, tmp_path)
    assert stores(tmp_path) == []


def test_a_damaged_store_is_refused_until_it_is_removed_and_then_made_again(store, source, shop_schema, cut, tmp_path):
    path = store.path / "item.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + bytes(4))  # the last row's item, 0 instead of 1
    for _ in range(2):
        with pytest.raises(IntegrityError, match=r"item\.npy") as refused:
            run(source, shop_schema, cut, tmp_path)
        assert refused.value.exit_code == 4
    shutil.rmtree(store.path)
    assert run(source, shop_schema, cut, tmp_path).path == store.path
    assert path.read_bytes() == content


def test_what_is_left_of_a_store_is_refused_with_a_remedy_that_works(store, source, shop_schema, cut, tmp_path):
    shutil.rmtree(store.path)
    store.path.mkdir()
    with pytest.raises(IntegrityError, match=rf"rm -r {store.path}"):
        run(source, shop_schema, cut, tmp_path)
    shutil.rmtree(store.path)
    assert len(run(source, shop_schema, cut, tmp_path).user) == 13
