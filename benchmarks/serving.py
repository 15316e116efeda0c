"""Answering one user from retriever.onnx on one thread, beside torch on the same vectors. V catalogue rows, N users, L history length."""

import functools
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch

from benchmarks.base import composed, options, show
from benchmarks.clock import now
from recsys.config import build, schema_of
from recsys.export.bundle import export_bundle
from recsys.export.retrieval import RetrievalSection
from recsys.schema import Schema, Statistics
from recsys.serve import Retriever

K = 100
NUM_USERS, HISTORY = 256, 50
FEATURES = (
    "data.features=["
    "{_target_:recsys.schema.Categorical,column:user_id,entity:user},"
    f"{{_target_:recsys.schema.History,column:history,entity:user,of:item_id,max_len:{HISTORY}}},"
    "{_target_:recsys.schema.Categorical,column:item_id,entity:item}]"
)


def main(arguments: list[str]) -> None:
    """Export a model of random weights per catalogue size and ask it; the table."""
    parser = options("serving", __doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 38_048, 100_000], help="catalogue sizes (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=1_000, help="of one user each (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows = [row for num_items in chosen.items for row in answered(num_items, chosen.requests)]
    torch.set_num_threads(threads)
    title = f"One user, the best {K} of the catalogue, {HISTORY} items excluded, 64 dimensions, one thread"
    notes = (
        "graph: onnxruntime alone. recommend: recsys.serve, from a dict to lists. product: vectors times one user, the least to do.",
        "Goal: the graph's p50 at most 3 ms for 38,048 items.",
    )
    show(title, ("items", "", "p50", "p99", "/ torch"), rows, notes)


def answered(num_items: int, number: int) -> list[tuple[str, ...]]:
    """Rows of the table for one catalogue; the ways take turns at each request, so that they share the machine's moods."""
    calls = ways(num_items)
    seconds = {way: np.empty(number) for way in calls}
    for request in range(-10, number):  # the first ten are not counted
        for way, call in calls.items():
            started = now()
            call(request % NUM_USERS)
            if request >= 0:
                seconds[way][request] = now() - started
    middle = {way: np.median(spent) for way, spent in seconds.items()}
    return [
        (
            f"{num_items:,}" if way == "graph" else "",
            way,
            f"{1e3 * middle[way]:.2f} ms",
            f"{1e3 * np.percentile(spent, 99):.2f} ms",
            f"{middle[way] / middle['torch']:.2f}",
        )
        for way, spent in seconds.items()
    ]


def ways(num_items: int) -> dict[str, Callable[[int], object]]:
    """{name: answers the user of this number} over the same model, vectors and requests."""
    config = composed(FEATURES)
    histories = np.random.default_rng(0).integers(1, num_items + 1, (NUM_USERS, HISTORY))
    ids = np.arange(1, NUM_USERS + 1)
    with tempfile.TemporaryDirectory() as scratch:
        schema = fitted(schema_of(config.data), {"user_id": NUM_USERS, "item_id": num_items}, Path(scratch))
        torch.manual_seed(0)
        model = build(config.model)(schema=schema).eval()
        item_features = {"item_id": torch.arange(num_items + 1) + 1}  # 1 more: index 1 is the unknown item
        item_features["item_id"][0] = 0
        user_features = {"user_id": torch.from_numpy(ids + 1), "history": torch.from_numpy(histories + 1)}
        section = RetrievalSection(model, item_features, pl.Series([None, *range(1, num_items + 1)]), user_features, K)
        export_bundle(
            [section],
            schema,
            vocabulary_path=functools.partial(vocabulary_path, Path(scratch)),
            metrics={},
            checkpoint={},
            folder=Path(scratch) / "bundle",
        )
        retriever = Retriever(Path(scratch) / "bundle")
    vectors = model.catalogue(item_features)  # [V, D]
    rows = [{"user_id": int(user), "history": items.tolist()} for user, items in zip(ids, histories)]

    def graph(user: int) -> object:
        feed = {"user_id": ids[user : user + 1], "history": histories[user : user + 1], "exclude": histories[user : user + 1]}
        return retriever.session.run(["items", "scores"], feed | {"k": np.array([K])})

    def recommend(user: int) -> object:
        return retriever.recommend([rows[user]], k=K, exclude=[rows[user]["history"]])

    @torch.inference_mode()
    def eager(user: int) -> object:
        one = model.users({column: values[user : user + 1] for column, values in user_features.items()})
        scores = one @ vectors.T  # [1, V]
        scores[0, histories[user]] = -torch.inf
        return scores.topk(K)

    def product(user: int) -> object:
        return torch.mv(vectors, vectors[user])

    return {"graph": graph, "recommend": recommend, "torch": eager, "product": product}


def fitted(schema: Schema, sizes: dict[str, int], folder: Path) -> Schema:
    """The schema with vocabularies 1, 2, ... of these sizes, written to the folder."""
    statistics = {}
    for column, size in sizes.items():
        pl.DataFrame({"value": [None, None, *range(1, size + 1)]}).write_parquet(vocabulary_path(folder, column))
        sha256 = hashlib.sha256(vocabulary_path(folder, column).read_bytes()).hexdigest()
        statistics[column] = Statistics("int64", size + 2, vocabulary_sha256=sha256)
    return schema.fitted(statistics | {"history": Statistics("int64", sizes["item_id"] + 2)})


def vocabulary_path(folder: Path, column: str) -> Path:
    """Where `fitted` writes a vocabulary."""
    return folder / f"{column}.parquet"
