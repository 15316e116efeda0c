import numpy as np
import polars as pl
import pytest

from recsys.data.store import COLUMNS
from recsys.data.store.build import FeatureFiles, build
from recsys.data.store.interactions import Entities, KeyColumns, Spool
from recsys.schema import Categorical, Label, Numeric, Schema


def test_folder_holds_the_store_and_nothing_else(source, shop_schema, cut, tmp_path):
    folder = tmp_path / "building"
    folder.mkdir()
    built = build(source.tables(), shop_schema, cut, folder=folder, max_unknown_share=0.5)
    expected = ["context_features", "event_item.npy", "event_row.npy", "event_split.npy", "event_start.npy", "event_time.npy"]
    expected += ["history_stop.npy", "item.npy", "item_count.npy", "item_features", "item_ids.parquet", "labels"]
    expected += ["raw_categories.parquet", "schema.json"]
    expected += ["session.npy", "split.npy", "time.npy", "user.npy", "user_features", "user_ids.parquet", "vocabulary"]
    assert sorted(path.name for path in folder.iterdir()) == expected
    assert {name: built[name] for name in COLUMNS} == {
        "user_features": ["user", "gender", "age", "signup"],
        "item_features": ["item", "tags", "price"],
        "context_features": ["device"],
        "labels": ["click"],
    }


def test_the_same_rows_make_the_same_files(source, shop_schema, cut, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        build(source.tables(), shop_schema, cut, folder=folder, max_unknown_share=0.5)
    files = [path.relative_to(folders[0]) for path in folders[0].rglob("*") if path.is_file()]
    assert [file for file in files if (folders[0] / file).read_bytes() != (folders[1] / file).read_bytes()] == []


def test_missing_labels_stay_missing(source, shop_schema, cut, tmp_path):
    path = source.root / "interactions.parquet"
    pl.read_parquet(path).with_columns(click=pl.when(pl.col("day") == 7).then(None).otherwise("click")).write_parquet(path)
    build(source.tables(), shop_schema, cut, folder=tmp_path, max_unknown_share=0.5)
    assert np.isnan(np.load(tmp_path / "labels" / "click.npy")).nonzero()[0].tolist() == [11]  # cid's row, no event either
    assert np.load(tmp_path / "event_row.npy").tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9, 12]


@pytest.fixture
def files(tmp_path):
    """Three rows, the last one not in training; users are numbered b 2, a 1."""
    frame = pl.LazyFrame({"user": ["b", "a", "b"], "price": [1.0, 3.0, 100.0], "device": ["web", "app", "web"], "click": [1, None, 0]})
    features = (Categorical("user", "user"), Numeric("price", "context"), Categorical("device", "context"))
    rows = KeyColumns(
        user=np.array([2, 1, 2], dtype=np.int32),
        item=np.array([1, 1, 1], dtype=np.int32),
        time=np.array([0, 1, 2]),
        split=np.array([0, 0, 2], dtype=np.uint8),
        positive=np.array([True, False, False]),
    )
    spool = Spool.write(frame, ["user", "price", "device", "click"], tmp_path / "spool.arrow")
    return FeatureFiles(tmp_path, Schema("user", "item", features=features, labels=(Label("click"),)), rows, spool)


def test_context_is_fitted_on_training_rows_and_written_in_order(files):
    statistics = files.context(np.array([1, 0, 2]))
    assert statistics["price"].mean == pytest.approx(2.0)
    assert np.load(files.folder / "context_features" / "price.npy").tolist() == [3, 1, 100]
    assert np.load(files.folder / "context_features" / "device.npy").tolist() == [2, 3, 3]  # one training row each: app before web


def test_ids_need_a_positive_training_row(files):
    entities = Entities("user", pl.Series(["a", "b"]), None)
    files.entity("user", entities, files.rows.user)
    # a's only training row is not positive; row 0 pads
    assert np.load(files.folder / "user_features" / "user.npy").tolist() == [0, 1, 2]


def test_labels_are_written_in_order(files):
    files.labels(np.array([2, 1, 0]))
    np.testing.assert_array_equal(np.load(files.folder / "labels" / "click.npy"), np.array([0, np.nan, 1], dtype=np.float32))
