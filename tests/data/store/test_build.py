import numpy as np
import polars as pl

from recsys.data.store import COLUMNS
from recsys.data.store.build import build


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
