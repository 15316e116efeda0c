"""Test requests in two forms: raw, as a served graph takes them, and by index, as the model reads them. N rows, L list length.

The raw side is drawn from the index side, never through the graph under test, so the two agree only if the graph's look-ups, hashes,
padding and missing values are those of training.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mmh3
import numpy as np
import polars as pl
import torch
from onnxruntime import InferenceSession
from torch import Tensor

from recsys.export.preprocessing import missing, raw_array, raw_numbers
from recsys.schema import FIRST_KNOWN, PAD, UNKNOWN, Feature, Schema

WARM_UP, REQUESTS = 30, 400
"""Requests to each graph before time is taken, and that are timed."""
Feed = Mapping[str, np.ndarray]
"""{input of a graph: [N, ...]}."""


@dataclass(frozen=True)
class Requests:
    """N rows in both forms.

    Attributes:
        raw: {column: [N] or [N, L]} object (strings), int64 or float32, as graph inputs.
        index: {column: [N] or [N, L]} int64 or float32, as the model reads them.
    """

    raw: dict[str, np.ndarray]
    index: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.raw.values())))

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Raw rows start <= row < stop."""
        return rows_of(self.raw, start, stop - start)

    def describe(self, row: int) -> str:
        """One raw row in words, long lists cut."""
        return ", ".join(f"{column}={values[row : row + 1].tolist()[0]!r:.200}" for column, values in self.raw.items())


def requests(
    features: Mapping[str, Tensor],
    kinds: tuple[Feature, ...],
    schema: Schema,
    vocabularies: Mapping[str, pl.Series],
    generator: np.random.Generator,
    *,
    unknown_share: float = 0.1,
    empty_share: float = 0.05,
) -> Requests:
    """Requests like these rows; some get values that training never saw, missing values or empty lists.

    Args:
        features: {column: [N] or [N, L]} by index, from the Store.
        kinds: the features to fill in.
        vocabularies: {column: raw values by vocabulary index}. Hashed columns have none, and get new values.
        unknown_share: of values replaced by ones that no training row held; half as many more are missing, where the column allows it.
        empty_share: of rows whose lists are emptied; the histories of one row together.
    """
    number = len(features[kinds[0].column])
    no_history, no_tags = generator.random((2, number)) < empty_share
    raw, index = {}, {}
    for kind in kinds:
        values = features[kind.column].numpy()
        if not kind.has_table:
            raw[kind.column] = raw_numbers(kind, values, schema)
            index[kind.column] = torch.from_numpy(values)
            continue
        entries = values.astype(np.int64)
        column_index, column_raw = _categories(entries, schema, kind.table, vocabularies, generator, unknown_share)
        if kind.is_list:
            absent = (entries == PAD) | (no_tags if kind.is_stored else no_history)[:, None]
        else:
            absent = generator.random(number) < unknown_share / 2
        column_raw[absent] = missing(schema.statistics[kind.table].dtype)
        column_index[absent] = PAD if kind.is_list else UNKNOWN
        raw[kind.column], index[kind.column] = column_raw, torch.from_numpy(column_index)
    return Requests(raw, index)


def single(raw: Feed, row: int) -> dict[str, np.ndarray]:
    """One raw row as a server sends it to the graph: lists end with their last entry, and are at least one wide.

    Padding changes no answer in float32; where products are in int8, it changes their scale.
    """
    request = rows_of(raw, row, 1)
    for column, values in request.items():
        if values.ndim == 2 and values.dtype != np.float32:
            filled = values[0] != missing("string" if values.dtype == object else "int64")
            request[column] = values[:, : max([1, *(np.flatnonzero(filled) + 1)])]
    return request


def _categories(
    entries: np.ndarray, schema: Schema, table: str, vocabularies: Mapping[str, pl.Series], generator: np.random.Generator, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Index and raw value in the shape of `entries`, a share of them unknown to the vocabulary of column `table`."""
    dtype = schema.statistics[table].dtype
    buckets = schema.feature(table).buckets
    fresh = generator.integers(2**62, size=entries.shape)  # no id of a real catalogue is that large
    raw = np.array([f"never seen {value}" for value in fresh.ravel()], dtype=object).reshape(entries.shape) if dtype == "string" else fresh
    if buckets:
        content: list[Any] = [value if dtype == "string" else value.tobytes() for value in raw.ravel()]
        index = [FIRST_KNOWN + mmh3.hash(value, 0, signed=False) % buckets for value in content]
        return np.array(index, np.int64).reshape(raw.shape), raw
    unknown = (entries < FIRST_KNOWN) | (generator.random(entries.shape) < share)
    known = raw_array(vocabularies[table], dtype)[entries]
    return np.where(unknown, UNKNOWN, entries), np.where(unknown, raw, known)


def rows_of(feed: Feed, start: int, number: int) -> dict[str, np.ndarray]:
    """Up to `number` rows of every input, from `start` on."""
    return {column: values[start : start + number] for column, values in feed.items()}


def p50_ratio(before: InferenceSession, after: InferenceSession, outputs: Sequence[str], feeds: Sequence[Feed]) -> float:
    """Median time of a request to `after`, over that to `before`.

    Both answer each request before the next one comes, and take turns in being first: what else the machine does meets both alike. A
    graph against itself gave .95 to 1.00 (retriever, 0.12 ms a request) and .94 to 1.01 (ranker of 200 candidates, 2.9 ms) in 30
    measurements each on two busy cores, with standard deviations of .009 and .017: a ratio above 1.05 is not noise.

    Args:
        feeds: one per call; taken in turn, from the start again where they are fewer than REQUESTS.
    """
    graphs = (before, after)
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + REQUESTS):
        feed = feeds[number % len(feeds)]
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            graphs[which].run(outputs, feed)
            seconds[which].append(time.perf_counter() - start)
    return float(np.median(seconds[1][WARM_UP:]) / np.median(seconds[0][WARM_UP:]))
