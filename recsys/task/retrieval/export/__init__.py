"""Export facet of retrieval (see `recsys.export.section`): a two-tower model in a bundle: towers, retriever and item vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.batch import UserBatch
from recsys.data.read.rows import EvaluationUsers
from recsys.errors import DataError, Fault
from recsys.export.golden import columns, series
from recsys.export.graph import save_graph, session
from recsys.export.preprocessing import id_dtype, missing
from recsys.export.requests import requests, single
from recsys.model.two_tower import TwoTower
from recsys.report.markdown import code
from recsys.run.directory import RunDirectory
from recsys.schema import Schema
from recsys.task.retrieval.export.graph import export_retriever, export_tower
from recsys.task.retrieval.export.parity import SCORE_TOLERANCE, parity
from recsys.task.retrieval.export.questions import questions_of
from recsys.task.retrieval.export.unknown_users import unknown_users

__all__ = ["questions_of"]
GRAPH = "retriever.onnx"
PLACE = "run"
COLUMNS = ("user", "item")
ASKED = ("user",)
PARITY = "parity"
SEARCHES = True
PARITY_ROWS = 512
"""Rows at most of users, and of items, that are compared with the model."""
TEST_USERS = 2_000
"""Users at most whose lists under an unknown id are measured."""
USERS, K = 200, 20
"""Golden requests, and the length of their lists."""
EXCLUDED = 3
"""Best items that every second golden request excludes."""


@dataclass(frozen=True)
class RetrievalSection:
    """user_tower.onnx, item_tower.onnx, retriever.onnx and item_embeddings.parquet.

    Attributes:
        model: in evaluation mode, on the CPU.
        item_features: {column: [V] or [V, L]} by catalogue index, row 0 padding.
        item_ids: [V] raw ids by catalogue index; [0] is null.
        user_features: {column: [N] or [N, L]} of real users, histories included, to compare on; the first 512 are used.
        k: length of the compared lists.
        seed: of the unknown and missing values among the compared rows.
        test_users: whose lists under an unknown id are measured, beside those of popularity; None = nobody's.
        count: [V] training events of each item; needed for that.
    """

    task = "retrieval"
    model: TwoTower
    item_features: Mapping[str, Tensor]
    item_ids: pl.Series
    user_features: Mapping[str, Tensor]
    k: int = 100
    seed: int = 0
    test_users: UserBatch | None = None
    count: Tensor | None = None

    def write(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series], facts: Mapping[str, str]) -> dict:
        """Write the files and compare them with the model; see `recsys.export.section.Section`."""
        model, item_ids, dtype = self.model, self.item_ids, id_dtype(self.item_ids)
        _check_ids(item_ids, dtype)
        vectors = model.catalogue(self.item_features).numpy()
        generator = np.random.default_rng(self.seed)
        user_tower = export_tower(model, model.users, schema.of("user"), schema, vocabularies)
        item_tower = export_tower(model, model.items, schema.of("item"), schema, vocabularies)
        retriever = export_retriever(user_tower, vectors, item_ids, dtype)
        for name, graph in {"user_tower.onnx": user_tower, "item_tower.onnx": item_tower, "retriever.onnx": retriever}.items():
            save_graph(folder / name, graph, facts)
        assert schema.item is not None
        known = pl.Series("vector", vectors[1:], dtype=pl.Array(pl.Float32, vectors.shape[1]))
        pl.DataFrame([item_ids[1:].alias(schema.item), known]).write_parquet(folder / "item_embeddings.parquet")
        some_users = {column: values[:PARITY_ROWS] for column, values in self.user_features.items()}
        sample = torch.from_numpy(generator.choice(np.arange(1, len(item_ids)), min(PARITY_ROWS, len(item_ids) - 1), replace=False))
        some_items = {column: values[sample] for column, values in self.item_features.items()}
        figures = parity(
            folder,
            model=model,
            users=requests(some_users, schema.of("user"), schema, vocabularies, generator),
            items=requests(some_items, schema.of("item"), schema, vocabularies, generator),
            item_vectors=vectors,
            item_ids=item_ids,
            k=self.k,
        )
        about_items = {"column": schema.item, "dtype": dtype, "count": len(item_ids) - 1}
        document = {"items": about_items, "dim": vectors.shape[1], "parity": figures}
        if self.test_users is not None and self.count is not None:
            document["unknown_users"] = unknown_users(model, torch.from_numpy(vectors), self.test_users, self.count, schema)
        return document

    def golden(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> pl.DataFrame:
        """Users and their lists; see `recsys.export.section.Section`."""
        some = {column: values[:USERS] for column, values in self.user_features.items()}
        sample = requests(some, schema.of("user"), schema, vocabularies, np.random.default_rng(self.seed))
        dtype, run, number = id_dtype(self.item_ids), session(folder / "retriever.onnx").run, len(sample)
        exclude = np.full((number, EXCLUDED), missing(dtype), object if dtype == "string" else np.int64)
        k = {"k": np.array([K], np.int64)}
        exclude[1::2] = run(["items"], sample.raw | {"exclude": exclude} | k)[0][1::2, :EXCLUDED]
        # one by one, as they are replayed: where products are in int8, an answer depends on the rows that are asked beside it
        rows = (single(sample.raw, row) | {"exclude": exclude[row : row + 1]} | k for row in range(number))
        items, scores = (np.concatenate(parts) for parts in zip(*(run(["items", "scores"], row) for row in rows)))
        left = [row[row > -np.inf] for row in scores]
        answers = {
            "exclude": series(exclude),
            "answer/items": pl.Series([row[: len(finite)].tolist() for row, finite in zip(items, left)], dtype=series(exclude).dtype),
            "answer/scores": pl.Series([row.tolist() for row in left], dtype=pl.List(pl.Float32)),
        }
        return pl.DataFrame({"task": ["retrieval"] * number, **columns(sample.raw, schema), **answers})


def section_of(run: RunDirectory, model: TwoTower, about: dict, k: int) -> RetrievalSection:
    """The part of a bundle that a finished run's model becomes, compared on users of its test; see `recsys.export.section`."""
    store, users = run.store, EvaluationUsers(run.store, "test")
    test_users = users.batch(torch.arange(min(len(users), TEST_USERS)))
    return RetrievalSection(
        model,
        item_features={column: values if values.is_floating_point() else values.long() for column, values in store.item_features.items()},
        item_ids=store.item_ids,
        user_features={column: values[:PARITY_ROWS] for column, values in test_users.features.items()},
        k=k,
        seed=run.config.seed,
        test_users=test_users,
        count=store.item_count,
    )


def _check_ids(item_ids: pl.Series, dtype: str) -> None:
    nothing = missing(dtype)
    number = int((item_ids[1:].fill_null(nothing) == nothing).sum())
    if number:
        what = f"{number} items have no id, or the id {nothing!r}, which stands for a missing one at serving"
        raise DataError(Fault(what, "item ids of the store", "give these items ids of their own and prepare the data again"))


def parity_words(figures: Mapping) -> tuple[str, str]:
    """The limit, and the difference found."""
    limit = f"scores within {SCORE_TOLERANCE:.0e}, lists equal but for ties"
    return limit, f"{figures['max_score_difference']:.1e} over {figures['lists']:,} lists"


def card_lines(manifest: Mapping, schema: Schema, model: str) -> list[str]:
    """A line on the columns that the retriever reads and the items that it answers."""
    if "items" not in manifest:
        return []
    items = manifest["items"]
    return [
        f"- Retrieval ({code(model)}): from a user's columns to the best of {items['count']:,} items, by dot products in "
        f"{manifest['dim']} dimensions; answers {code(items['column'])} ({items['dtype']})."
    ]


def card_limits(manifest: Mapping, schema: Schema) -> Iterator[str]:
    """New items, and columns that a user's vector cannot depend on."""
    if "items" not in manifest:
        return
    yield f"The catalogue is fixed: items beyond these {manifest['items']['count']:,} are answered only after another export."
    if schema.of("context"):
        yield f"Retrieval does not read {', '.join(code(feature.column) for feature in schema.of('context'))}."
