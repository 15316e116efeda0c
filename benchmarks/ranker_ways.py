"""Ways to predict the labels of one user's candidates, with the default ranking model of the shop and random weights. C candidates."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.bundles import write_bundle
from benchmarks.random_rows import random_rows
from benchmarks.shop_shaped import shop_ranker, shop_schema
from benchmarks.torch_compile import compiled_function
from recsys.export.requests import Requests, requests
from recsys.serve import Ranker
from recsys.task.ranking.export.graph import Served

CANDIDATES = 200
NUM_USERS = 64
Way = Callable[[int], object]
"""Answers the user of this number."""


def ranker_ways() -> dict[str, Way]:
    """{name: way} over the same model and requests."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        schema, vocabularies = shop_schema(Path(scratch))
        section = shop_ranker(schema, random_rows(schema, NUM_USERS * CANDIDATES, generator))
        write_bundle(section, schema, vocabularies, Path(scratch) / "bundle")
        ranker = Ranker(Path(scratch) / "bundle")
    served = Served(section.model, section.calibrations, schema).eval()
    asked = requests(section.features, served.features, schema, vocabularies, generator)
    users = [feature.column for feature in schema.of("user")]
    shared = [_one_user(asked, user, users) for user in range(NUM_USERS)]
    dicts = [{column: feed[column][0] for column in users} for feed, _ in shared]
    others = [{column: values for column, values in feed.items() if column not in users} for feed, _ in shared]

    def graph(user: int) -> object:
        return ranker.graph.run(ranker.labels, shared[user][0])

    def predict(user: int) -> object:
        return ranker.predict(others[user], user=dicts[user])

    def way(function: Callable) -> Way:
        return torch.inference_mode()(lambda user: function(shared[user][1]))

    faster = compiled_function(served)
    return {"graph": graph, "predict": predict, "torch": way(served)} | ({} if faster is None else {"compiled": way(faster)})


def _one_user(asked: Requests, user: int, columns: list[str]) -> tuple[dict[str, np.ndarray], dict[str, Tensor]]:
    """Raw columns of the user [1] and of candidates [C], and all of them [C] by index, as eager torch needs them."""
    rows = slice(user * CANDIDATES, (user + 1) * CANDIDATES)
    raw = {column: values[rows][:1] if column in columns else values[rows] for column, values in asked.raw.items()}
    index = {
        column: values[rows][:1].expand_as(values[rows]).contiguous() if column in columns else values[rows]
        for column, values in asked.index.items()
    }
    return raw, index
