"""A two-tower model with every kind of feature, and its bundle, exported once."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import torch

from recsys.export.bundle import export_bundle
from recsys.model.two_tower import TwoTower
from recsys.schema import Categorical, History, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector
from recsys.task.retrieval.export import RetrievalSection
from recsys.tower.mlp import MLPTower
from recsys.tower.sequence import SequenceTower

FEATURES = (
    Categorical("user_id", "user"),
    Categorical("city", "user", buckets=8),
    Categorical("vip", "user"),
    Numeric("age", "user", quantiles=3),
    MultiCategorical("interests", "user", max_len=3),
    History("history", "user", of="item_id", max_len=4),
    History("brands", "user", of="brand", max_len=4),
    Vector("taste", "user"),
    Timestamp("joined", "user"),
    Categorical("item_id", "item"),
    Categorical("brand", "item", buckets=5),
    Numeric("price", "item", log=True),
    MultiCategorical("words", "item", max_len=1),
)
VOCABULARIES = {
    "user_id": [None, None, "u1", "u2", "ü3"],
    "vip": [None, None, 0, 1],
    "interests": [None, None, 10, 20, 30],
    "item_id": [None, None, 101, 102, 103, 104, 105],
    "words": [None, None, "red", "blue"],
}
STATISTICS = {
    "user_id": Statistics("string", 5),
    "city": Statistics("string", 10),
    "vip": Statistics("bool", 4),
    "age": Statistics("float32", mean=40.0, std=10.0, boundaries=(20.0, 50.0)),
    "interests": Statistics("int64", 5),
    "taste": Statistics("float32", 2),
    "joined": Statistics("int64"),
    "history": Statistics("int64", 7),
    "brands": Statistics("int64", 7),
    "item_id": Statistics("int64", 7),
    "brand": Statistics("int64", 7),
    "price": Statistics("float32", mean=1.0, std=0.5),
    "words": Statistics("string", 4),
}


@dataclass(frozen=True)
class Example:
    """What `export_bundle` takes, and where it was put."""

    model: TwoTower
    schema: Schema
    vocabularies: Path
    item_features: dict[str, torch.Tensor]
    item_ids: pl.Series
    user_features: dict[str, torch.Tensor]
    bundle: Path
    manifest: dict

    def path(self, column: str) -> Path:
        """Vocabulary file of a column."""
        return self.vocabularies / f"{column}.parquet"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """12 items, the last two of equal features; 20 users."""
    folder = tmp_path_factory.mktemp("export")
    statistics = dict(STATISTICS)
    for column, values in VOCABULARIES.items():
        path = folder / f"{column}.parquet"
        pl.DataFrame({"value": values}).write_parquet(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        statistics[column] = Statistics(statistics[column].dtype, statistics[column].size, vocabulary_sha256=sha256)
    schema = Schema("user_id", "item_id", features=FEATURES).fitted(statistics)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        user = functools.partial(SequenceTower, 1, 2, expansion=2, dropout=0.1)
        item = functools.partial(MLPTower, [16], 0.1)
        model = TwoTower(
            user, item, dim=8, embedding_dim=8, normalize=True, share_item_table=True, id_dropout=0.0, sparse_from=10**9, schema=schema
        ).eval()
    generator = torch.Generator().manual_seed(1)
    item_ids = pl.Series([None, *range(101, 113)])
    item_features = {
        "item_id": torch.tensor([0, 2, 3, 4, 5, 6, *[1] * 7]),
        "brand": torch.randint(2, 7, (13,), generator=generator),
        "price": torch.rand(13, generator=generator) * 9,
        "words": torch.tensor([[0], [2], [3], [1], [0], [2], [3], [1], [0], [2], [3], [1], [1]]),
    }
    for values in item_features.values():
        values[12] = values[11]
    number, length = 20, torch.arange(20) % 5
    filled = torch.arange(4) < length[:, None]
    user_features = {
        "user_id": torch.randint(1, 5, (number,), generator=generator),
        "city": torch.randint(2, 10, (number,), generator=generator),
        "vip": torch.randint(1, 4, (number,), generator=generator),
        "age": torch.where(torch.arange(number) % 6 == 5, torch.nan, torch.rand(number, generator=generator) * 80),
        "interests": torch.randint(1, 5, (number, 3), generator=generator),
        "history": torch.randint(1, 7, (number, 4), generator=generator) * filled,
        "brands": torch.randint(2, 7, (number, 4), generator=generator) * filled,
        "taste": torch.randn(number, 2, generator=generator),
        "joined": torch.randint(-(10**9), 2 * 10**9, (number,), generator=generator),
    }
    bundle = folder / "bundle"
    manifest = export_bundle(
        [RetrievalSection(model, item_features, item_ids, user_features)],
        schema,
        vocabulary_path=lambda column: folder / f"{column}.parquet",
        metrics={"test/recall@20": 0.25},
        checkpoint={"retrieval": {"step": 7, "sha256": "ab" * 32}},
        folder=bundle,
    )
    return Example(model, schema, folder, item_features, item_ids, user_features, bundle, manifest)
