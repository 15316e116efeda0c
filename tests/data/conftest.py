"""A tiny shop in parquet files, small enough to work every expected number out by hand.

row  user  item  day  click  device          entity index: ann 1, bob 2, cid 3, dora 4, eve 5; a 1, b 2, c 3, d 4, e 5
 0   ann   a      1    1     phone           eve and e occur in their own tables only
 1   ann   b      2    0     web
 2   ann   b      3    1     phone           days of January 2024; validation starts on the 8th, test on the 11th:
 3   bob   a      2    1     web             rows 0-7 train, 8-9 validate, 10-12 test
 4   bob   c      4    1     phone
 5   ann   c      5    1     phone           sorted by (user, split, time): 0 1 2 5 8 10 | 3 4 6 9 12 | 7 | 11
 6   bob   b      6    1     tablet          events (clicks):               a   b c a  d  | a c b d    |   | a
 7   cid   a      7    0     phone
 8   ann   a      9    1     phone
 9   bob   d      9    1     web
10   ann   d     12    1     tablet
11   dora  a     12    1     web
12   bob   c     13    0     phone
"""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from recsys.data.split import Temporal
from recsys.data.store import Store
from recsys.data.store.prepare import prepare
from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Timestamp
from recsys.source.base import Source, Tables

ROWS = [
    *[("ann", "a", 1, 1, "phone"), ("ann", "b", 2, 0, "web"), ("ann", "b", 3, 1, "phone"), ("bob", "a", 2, 1, "web")],
    *[("bob", "c", 4, 1, "phone"), ("ann", "c", 5, 1, "phone"), ("bob", "b", 6, 1, "tablet"), ("cid", "a", 7, 0, "phone")],
    *[("ann", "a", 9, 1, "phone"), ("bob", "d", 9, 1, "web"), ("ann", "d", 12, 1, "tablet"), ("dora", "a", 12, 1, "web")],
    ("bob", "c", 13, 0, "phone"),
]


class Files(Source):
    """Parquet files of one folder: interactions, and users and items where they exist."""

    def __init__(self, root: Path):
        self.root = root

    def tables(self) -> Tables:
        files = {path.stem: (path,) for path in sorted(self.root.glob("*.parquet"))}
        return Tables(**{name: pl.scan_parquet(paths) for name, paths in files.items()}, files=files, notes=("read from files",))


@pytest.fixture
def source(tmp_path: Path) -> Files:
    """The shop's files, written anew."""
    root = tmp_path / "raw"
    root.mkdir()
    interactions = pl.DataFrame(ROWS, schema=["user", "item", "day", "click", "device"], orient="row")
    time = pl.Series("time", [datetime(2024, 1, day) for day in interactions["day"]], dtype=pl.Datetime("us"))
    interactions.with_columns(time).write_parquet(root / "interactions.parquet")
    pl.DataFrame(
        {
            "user": ["ann", "bob", "cid", "dora", "eve"],
            "gender": ["f", "m", "m", "f", "x"],
            "age": [20, 30, 40, 50, 60],
            "signup": [datetime(2024, 1, 1)] * 5,
        }
    ).write_parquet(root / "users.parquet")
    pl.DataFrame(
        {
            "item": ["a", "b", "c", "d", "e"],
            "tags": [["red", "new"], [], ["red"], ["blue"], ["red", "blue", "new"]],
            "price": [1.0, 2.0, 4.0, 8.0, 16.0],
        }
    ).write_parquet(root / "items.parquet")
    return Files(root)


@pytest.fixture
def shop_schema() -> Schema:
    """Every kind of column the shop has; clicks are positive."""
    return Schema(
        user="user",
        item="item",
        time="time",
        features=(
            Categorical("user", "user"),
            Categorical("gender", "user"),
            Numeric("age", "user"),
            Timestamp("signup", "user"),
            History("history", "user", of="item", max_len=2),
            Categorical("item", "item"),
            MultiCategorical("tags", "item", max_len=2),
            Numeric("price", "item"),
            Categorical("device", "context"),
        ),
        labels=(Label("click"),),
        positive="click",
    )


@pytest.fixture
def cut() -> Temporal:
    """Rows 0-7 train, 8-9 validate, 10-12 test."""
    return Temporal(val_start="2024-01-08", test_start="2024-01-11")


@pytest.fixture
def store(source: Files, shop_schema: Schema, cut: Temporal, tmp_path: Path) -> Store:
    """The shop, prepared."""
    return prepare(source, shop_schema, cut, folder=tmp_path / "store", bad_rows="fail", max_unknown_share=0.5, max_feature_auc=0.99)
