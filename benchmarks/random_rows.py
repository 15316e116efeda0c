"""Schemas that are fitted without data: vocabularies 1, 2, ... of any size, and rows with a long tail to go with them. N rows, L length."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.schema import FIRST_KNOWN, PAD, Categorical, Feature, History, Numeric, Schema, Statistics, Timestamp

START, SECONDS = 1_736_100_000, 84 * 86_400
"""First timestamp and the seconds that follow it."""
MEAN, STD = 4.0, 1.0
"""Mean and standard deviation of the logarithm of a number."""


def fitted_schema(schema: Schema, sizes: Mapping[str, int], folder: Path, *, strings: tuple[str, ...] = ()) -> Schema:
    """The schema with vocabularies of these sizes, written to the folder.

    Args:
        sizes: {column: raw values}, 1 to that number.
        strings: columns whose values are texts.
    """
    statistics = {}
    for column, size in sizes.items():
        values = pl.DataFrame({"value": [None, None, *range(1, size + 1)]}, schema={"value": pl.Int64})
        if column in strings:
            values = values.cast(pl.String)
        values.write_parquet(vocabulary_path(folder, column))
        sha256 = hashlib.sha256(vocabulary_path(folder, column).read_bytes()).hexdigest()
        statistics[column] = Statistics("string" if column in strings else "int64", size + FIRST_KNOWN, vocabulary_sha256=sha256)
    for feature in schema.features:
        match feature:
            case History():
                statistics[feature.column] = Statistics("int64", sizes[feature.of] + FIRST_KNOWN)
            case Numeric():
                statistics[feature.column] = Statistics("float32", mean=MEAN, std=STD)
            case Timestamp():
                statistics[feature.column] = Statistics("int64")
    return schema.fitted(statistics)


def vocabulary_path(folder: Path, column: str) -> Path:
    """Where `fitted_schema` writes a vocabulary."""
    return folder / f"{column}.parquet"


def random_rows(schema: Schema, number: int, generator: np.random.Generator) -> dict[str, Tensor]:
    """{column: [N] or [N, L] by index} of random rows: few values are had by many, and lists have any length."""
    return {feature.column: torch.from_numpy(_values(feature, schema, number, generator)) for feature in schema.features}


def _values(feature: Feature, schema: Schema, number: int, generator: np.random.Generator) -> np.ndarray:
    if isinstance(feature, Numeric):
        return np.exp(MEAN + STD * generator.standard_normal(number, dtype=np.float32))
    if isinstance(feature, Timestamp):
        return START + generator.integers(SECONDS, size=number)
    size = schema.statistics[schema.table(feature.column)].size - FIRST_KNOWN
    if isinstance(feature, Categorical):
        return FIRST_KNOWN + long_tail(size, number, generator)
    values = FIRST_KNOWN + long_tail(size, (number, feature.max_len), generator)
    filled = np.arange(feature.max_len) < generator.integers(feature.max_len + 1, size=(number, 1))
    return np.where(filled, values, PAD)


def long_tail(size: int, shape: int | tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Numbers from 0 to one below `size`, the first the most frequent: a tenth of them make half of the draws."""
    return (size * generator.random(shape) ** (10 / 3)).astype(np.int64)
