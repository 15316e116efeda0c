"""Models of the shop's columns and sizes with random weights."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from benchmarks.base import composed
from benchmarks.random_rows import fitted_schema, random_rows, vocabulary_path
from recsys.config import build, schema_of
from recsys.export.bundle import load_vocabularies
from recsys.schema import Schema
from recsys.task.ranking.export import RankingSection
from recsys.task.retrieval.export import RetrievalSection

SIZES = {
    **{"user_id": 5_348, "country": 6, "age_band": 6, "membership": 3, "interests": 24},
    **{"item_id": 2_750, "category": 24, "brand": 40, "device": 3, "position": 10},
}
STRINGS = ("country", "age_band", "membership", "interests", "category", "brand", "device")
NUM_ITEMS = 3_000


def shop_schema(folder: Path) -> tuple[Schema, Mapping[str, pl.Series]]:
    """Fitted, with its vocabularies, which are written to the folder."""
    schema = fitted_schema(schema_of(composed().data), SIZES, folder, strings=STRINGS)
    return schema, load_vocabularies(schema, lambda column: vocabulary_path(folder, schema.table(column)))


def shop_ranker(schema: Schema, features: Mapping[str, Tensor]) -> RankingSection:
    """The default ranking model.

    Args:
        features: {column: [N] or [N, L]} to compare it on.
    """
    config = composed("task=ranking")
    torch.manual_seed(0)
    task = build(config.task)
    model = task.model(config, schema).eval()
    return RankingSection(model, {label.column: task.calibration() for label in schema.labels}, features)


def shop_retriever(schema: Schema, features: Mapping[str, Tensor], k: int) -> RetrievalSection:
    """The default retrieval model; an item in twelve has no id of its own.

    Args:
        features, k: as of `RetrievalSection`.
    """
    torch.manual_seed(0)
    config = composed()
    model = build(config.task).model(config, schema).eval()
    items = random_rows(schema, NUM_ITEMS + 1, np.random.default_rng(0))
    known = SIZES["item_id"]
    items["item_id"] = torch.cat([torch.zeros(1), torch.arange(2, known + 2), torch.ones(NUM_ITEMS - known)]).long()
    return RetrievalSection(model, items, pl.Series([None, *range(1, NUM_ITEMS + 1)]), features, k)
