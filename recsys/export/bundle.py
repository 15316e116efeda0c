"""A trained two-tower model to a verified bundle: graphs, item vectors, schema, metrics, and last the manifest."""

import datetime
import json
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import torch
from torch import Tensor

from recsys.errors import DataError, Fault, IntegrityError
from recsys.export.graph import OPSETS, check, describe, export_retriever, export_tower, reserved_name_faults
from recsys.export.parity import parity
from recsys.export.preprocessing import id_dtype, missing
from recsys.export.publish import file_sha256, publishing, write_manifest
from recsys.export.requests import requests
from recsys.model.two_tower import TwoTower
from recsys.schema import Schema

FORMAT = 1
"""Raised when an older `recsys.serve` could not read the bundle."""
ITEMS_PER_PASS = 8_192
PARITY_ROWS = 512
"""Rows at most of users, and of items, that are compared with the model."""
PACKAGES = ("recsys", "torch", "onnx", "onnxscript", "onnxruntime", "numpy", "polars")


def export_bundle(
    model: TwoTower,
    schema: Schema,
    *,
    vocabulary_path: Callable[[str], Path],
    item_features: Mapping[str, Tensor],
    item_ids: pl.Series,
    user_features: Mapping[str, Tensor],
    metrics: Mapping[str, float],
    checkpoint: Mapping[str, object],
    folder: Path,
    k: int = 100,
    seed: int = 0,
) -> dict:
    """Write the bundle of a retrieval run, compare it with the model, and publish it in one rename.

    Args:
        model: in evaluation mode, on the CPU.
        schema: fitted, with the statistics of the model's store.
        vocabulary_path: parquet file of a column's vocabulary: `value` by vocabulary index, [0] and [1] null. Asked for columns
            without buckets; the file must have the sha256 that the schema names.
        item_features: {column: [V] or [V, L]} by catalogue index, row 0 padding.
        item_ids: [V] raw ids by catalogue index; [0] is null.
        user_features: {column: [N] or [N, L]} of real users, histories included, to compare on; the first 512 are used.
        metrics: of these weights, flat as in metrics.json.
        checkpoint: which weights these are, for the manifest.
        folder: final place of the bundle; a bundle that stands there is replaced.
        k: length of the compared lists.
        seed: of the unknown and missing values among the compared rows.
    Returns:
        The manifest.

    Raises:
        IntegrityError: a graph does not answer like the model, or a vocabulary is not the model's; nothing is published.
        DataError: a column has the name of an input or output of the graphs, or an item's id is the value that says "missing".
    """
    faults = reserved_name_faults(schema)
    if faults:
        raise DataError(*faults)
    vocabularies = load_vocabularies(schema, vocabulary_path)
    dtype = id_dtype(item_ids)
    _check_ids(item_ids, dtype)
    vectors = item_vectors(model, item_features)
    generator = np.random.default_rng(seed)
    with publishing(folder) as partial:
        schema.save(partial / "schema.json")
        (partial / "metrics.json").write_text(json.dumps(dict(metrics), indent=2, sort_keys=True) + "\n")
        facts = _facts(schema, partial / "schema.json")
        user_tower = export_tower(model, model.users, schema.of("user"), schema, vocabularies)
        item_tower = export_tower(model, model.items, schema.of("item"), schema, vocabularies)
        retriever = export_retriever(user_tower, vectors, item_ids, dtype)
        for name, graph in {"user_tower.onnx": user_tower, "item_tower.onnx": item_tower, "retriever.onnx": retriever}.items():
            describe(graph, **facts)
            check(name, graph)
            onnx.save(graph, partial / name)
        _write_vectors(partial / "item_embeddings.parquet", schema.item, item_ids, vectors)
        sample = torch.from_numpy(generator.choice(np.arange(1, len(item_ids)), min(PARITY_ROWS, len(item_ids) - 1), replace=False))
        some_items = {column: values[sample] for column, values in item_features.items()}
        some_users = {column: values[:PARITY_ROWS] for column, values in user_features.items()}
        figures = parity(
            partial,
            model=model,
            users=requests(some_users, schema.of("user"), schema, vocabularies, generator),
            items=requests(some_items, schema.of("item"), schema, vocabularies, generator),
            item_vectors=vectors,
            item_ids=item_ids,
            k=k,
        )
        return write_manifest(
            partial,
            {
                "format": FORMAT,
                "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
                "opset": OPSETS,
                "schema_sha256": facts["schema_sha256"],
                "items": {"column": schema.item, "dtype": dtype, "count": len(item_ids) - 1},
                "dim": vectors.shape[1],
                "checkpoint": dict(checkpoint),
                "parity": figures,
            },
        )


def load_vocabularies(schema: Schema, vocabulary_path: Callable[[str], Path]) -> dict[str, pl.Series]:
    """{column: raw values by vocabulary index} of every column that has a vocabulary.

    Raises:
        IntegrityError: names each file that is not the one the schema was fitted with.
    """
    wanted = {column: statistics.vocabulary_sha256 for column, statistics in schema.statistics.items() if statistics.vocabulary_sha256}
    paths = {column: vocabulary_path(column) for column in wanted}
    remedy = "export with the store that the run was trained on (data.json in the run directory)"
    faults = [
        Fault("the vocabulary is not the one that the model was trained with", f"column '{column}', {paths[column]}", remedy)
        for column, sha256 in wanted.items()
        if not paths[column].exists() or file_sha256(paths[column]) != sha256
    ]
    if faults:
        raise IntegrityError(*faults)
    return {column: pl.read_parquet(path)["value"] for column, path in paths.items()}


def item_vectors(model: TwoTower, item_features: Mapping[str, Tensor]) -> np.ndarray:
    """[V, D] float32 of the whole catalogue, a few thousand items at a time; row 0 (padding) is zero."""
    number = len(next(iter(item_features.values())))
    with torch.inference_mode():
        passes = [
            model.items({column: values[start : start + ITEMS_PER_PASS] for column, values in item_features.items()})
            for start in range(0, number, ITEMS_PER_PASS)
        ]
    vectors = torch.cat(passes).numpy()
    vectors[0] = 0.0
    return vectors


def _check_ids(item_ids: pl.Series, dtype: str) -> None:
    nothing = missing(dtype)
    number = int((item_ids[1:].fill_null(nothing) == nothing).sum())
    if number:
        what = f"{number} items have no id, or the id {nothing!r}, which stands for a missing one at serving"
        raise DataError(Fault(what, "item ids of the store", "give these items ids of their own and prepare the data again"))


def _facts(schema: Schema, path: Path) -> dict[str, str]:
    vocabularies = {
        f"vocabulary_sha256/{column}": statistics.vocabulary_sha256
        for column, statistics in schema.statistics.items()
        if statistics.vocabulary_sha256
    }
    return {"schema_sha256": file_sha256(path), **vocabularies}


def _write_vectors(path: Path, column: str, item_ids: pl.Series, vectors: np.ndarray) -> None:
    frame = pl.DataFrame({column: item_ids[1:], "vector": pl.Series(vectors[1:], dtype=pl.Array(pl.Float32, vectors.shape[1]))})
    frame.write_parquet(path)
