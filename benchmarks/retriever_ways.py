"""Ways to answer one user with the best of a catalogue, over a model of random weights. V catalogue rows, N users, L length, D dim."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import torch
import yaml
from torch import Tensor

from benchmarks.base import CONF, composed
from benchmarks.bundles import write_bundle
from benchmarks.random_rows import fitted_schema, vocabulary_path
from benchmarks.torch_compile import compiled_function
from benchmarks.vectors import vectors as realistic_vectors
from recsys.config import build, schema_of
from recsys.export.bundle import load_vocabularies
from recsys.export.graph import session
from recsys.export.index.curve import index_figures
from recsys.model.two_tower import TwoTower
from recsys.serve import Retriever
from recsys.serve.search import Index
from recsys.task.retrieval.export import RetrievalSection
from recsys.task.retrieval.export.graph import exact_search

K = 100
NUM_USERS, HISTORY = 256, 50
COMPARED = 8
"""Users that the bundle is compared with the model on; a catalogue of a million takes its time for each."""
FEATURES = (
    "data.features=["
    "{_target_:recsys.schema.Categorical,column:user_id,entity:user},"
    f"{{_target_:recsys.schema.History,column:history,entity:user,of:item_id,max_len:{HISTORY}}},"
    "{_target_:recsys.schema.Categorical,column:item_id,entity:item}]"
)
Way = Callable[[int], object]
"""Answers the user of this number."""


def retriever_ways(num_items: int, *, with_index: bool) -> tuple[dict[str, Way], float]:
    """{name: way} over the same model, vectors and requests, and the recall of `hnsw` (NaN without), which has vectors of its own."""
    histories = np.random.default_rng(0).integers(1, num_items + 1, (NUM_USERS, HISTORY))
    ids = np.arange(1, NUM_USERS + 1)
    user_features = {"user_id": torch.from_numpy(ids + 1), "history": torch.from_numpy(histories + 1)}
    item_features = {"item_id": torch.arange(num_items + 1) + 1}  # 1 more: index 1 is the unknown item
    item_features["item_id"][0] = 0
    with tempfile.TemporaryDirectory() as scratch:
        model = exported(num_items, user_features, item_features, Path(scratch))
        retriever = Retriever(Path(scratch) / "bundle")
        tower = session(Path(scratch) / "bundle" / "user_tower.onnx")
    feeds = [{"user_id": ids[user : user + 1], "history": histories[user : user + 1]} for user in range(NUM_USERS)]
    rows = [{"user_id": int(user), "history": items.tolist()} for user, items in zip(ids, histories)]

    def graph(user: int) -> object:
        return retriever.search.graph.run(["items", "scores"], feeds[user] | {"exclude": feeds[user]["history"], "k": np.array([K])})

    def recommend(user: int) -> object:
        return retriever.recommend([rows[user]], k=K, exclude=[rows[user]["history"]])

    ways = {"graph": graph, "recommend": recommend} | torch_ways(model, model.catalogue(item_features), user_features)
    if not with_index:
        return ways, float("nan")
    ways["hnsw"], recall = hnsw(num_items, tower, feeds)
    return ways, recall


def exported(num_items: int, user_features: dict[str, Tensor], item_features: dict[str, Tensor], folder: Path) -> TwoTower:
    """The default model, put into <folder>/bundle."""
    config = composed(FEATURES)
    schema = fitted_schema(schema_of(config.data), {"user_id": NUM_USERS, "item_id": num_items}, folder)
    torch.manual_seed(0)
    model = build(config.model)(schema=schema).eval()
    item_ids = pl.Series([None, *range(1, num_items + 1)])
    some = {column: values[:COMPARED] for column, values in user_features.items()}
    section = RetrievalSection(model, item_features, item_ids, some, K)
    vocabularies = load_vocabularies(schema, lambda column: vocabulary_path(folder, column))
    write_bundle(section, schema, vocabularies, folder / "bundle")
    return model


def torch_ways(model: TwoTower, vectors: Tensor, user_features: dict[str, Tensor]) -> dict[str, Way]:
    """Eager torch, the same compiled, and the product alone."""
    catalogue = vectors.T  # [D, V]

    def best(one: dict[str, Tensor], excluded: Tensor) -> object:
        scores = model.users(one) @ catalogue  # [1, V]
        scores[0, excluded] = -torch.inf
        return scores.topk(K)

    users = [{column: values[user : user + 1] for column, values in user_features.items()} for user in range(NUM_USERS)]
    excluded = [one["history"][0] - 1 for one in users]

    def way(function: Callable) -> Way:
        return torch.inference_mode()(lambda user: function(users[user], excluded[user]))

    faster = compiled_function(best)
    found = {"torch": way(best)} | ({} if faster is None else {"compiled": way(faster)})
    return found | {"product": lambda user: torch.mv(vectors, vectors[user])}


def hnsw(num_items: int, tower: onnxruntime.InferenceSession, feeds: list[dict[str, np.ndarray]]) -> tuple[Way, float]:
    """The user tower, then the default index at its cheapest setting that finds enough, as the server asks it; and its recall at K."""
    items, queries = realistic_vectors(num_items, NUM_USERS)
    index = build(yaml.safe_load((CONF / "index" / "hnsw.yaml").read_text()))
    content = index.build(items)
    about = index_figures(index, content, items, queries, exact_search(items, K))
    serving = Index(content, about["chosen"] or {index.setting: index.settings[-1]})

    def way(user: int) -> object:
        tower.run(["vector"], feeds[user])
        return serving.search(queries[user : user + 1], K + 1 + HISTORY)  # those that are excluded may be among the best

    return way, about["recall"]
