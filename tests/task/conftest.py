"""A shop of eleven clicks whose items have titles; validation starts on the 8th of January, test on the 11th.

entity index: ann 1, bob 2, cid 3; a 1, b 2, c 3, d 4, e 5. Test rows in their order: ann b (0), ann d (1), bob a (1), bob c (1), cid e (0)
"""

from datetime import datetime

import polars as pl
import pytest

from recsys.data.split import Temporal
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Timestamp
from recsys.source.tables import TableFiles

ROWS = [
    *[("ann", "a", 1, 1, "web"), ("ann", "c", 2, 1, "phone"), ("bob", "a", 3, 1, "web"), ("bob", "b", 4, 1, "web")],
    *[("cid", "d", 5, 1, "web"), ("cid", "e", 6, 1, "web"), ("ann", "b", 9, 1, "phone")],
    *[("ann", "b", 12, 0, "web"), ("ann", "d", 13, 1, "phone"), ("bob", "a", 12, 1, "web"), ("bob", "c", 14, 1, "tablet")],
    ("cid", "e", 13, 0, "web"),
]


@pytest.fixture
def source(tmp_path):
    """The shop's files."""
    root = tmp_path / "raw"
    root.mkdir()
    rows = pl.DataFrame(ROWS, schema=["user", "item", "day", "click", "device"], orient="row")
    times = pl.Series("time", [datetime(2024, 1, day, 6, 30) for day in rows["day"]], dtype=pl.Datetime("us"))
    rows.drop("day").with_columns(times).write_parquet(root / "rows.parquet")
    items = {
        "item": ["a", "b", "c", "d", "e"],
        "Title": ["<b>Apple</b>", "Bread", None, "Dates", "Eggs"],
        "kind": ["fruit", "bakery", "fruit", "fruit", "dairy"],
        "tags": [["red", "sweet"], [], ["red"], [], []],
        "price": [1.25, 2.0, 4.0, None, 16.0],
    }
    pl.DataFrame(items).write_parquet(root / "items.parquet")
    return TableFiles(root, "rows.parquet", items="items.parquet")


@pytest.fixture
def store(source, tmp_path):
    """The shop, prepared."""
    schema = Schema(
        "user",
        "item",
        time="time",
        features=(
            Categorical("user", "user"),
            History("history", "user", of="item", max_len=3),
            Categorical("item", "item"),
            Categorical("kind", "item"),
            MultiCategorical("tags", "item", max_len=2),
            Numeric("price", "item", fill=3.0),
            Categorical("device", "context"),
            Timestamp("time", "context"),
        ),
        labels=(Label("click"),),
        positive="click",
    )
    settings = {"bad_rows": "fail", "max_unknown_share": 1.0, "max_feature_auc": 1.0}
    split = Temporal(val_start="2024-01-08", test_start="2024-01-11")
    return prepare(source, schema, split, folder=tmp_path / "store", **settings)
