"""Quantised graphs of a model with every kind of feature: what a request brings is read as before."""

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest

from recsys.export.quantize import tables
from recsys.export.quantize.fp16_tables import Fp16Tables
from recsys.export.quantize.int8_dynamic import Int8Dynamic
from recsys.export.quantize.int8_tables import Int8Tables
from recsys.export.requests import requests

LIMITS = {"min_recall_ratio": 0.995, "max_auc_loss": 0.001, "max_ece_loss": 0.001, "max_rmse_ratio": 1.01, "max_p50_ratio": 1.05}


@pytest.fixture
def raw(example):
    """20 raw requests, with unknown, missing and empty values."""
    vocabularies = {column: pl.read_parquet(example.path(column))["value"] for column in ("user_id", "vip", "interests", "item_id")}
    return requests(example.user_features, example.schema.of("user"), example.schema, vocabularies, np.random.default_rng(0)).raw


@pytest.mark.parametrize(("kind", "apart"), [(Int8Tables, 0.02), (Fp16Tables, 2e-3), (Int8Dynamic, 0.05)])
def test_graphs_answer_nearly_as_before(example, raw, kind, apart, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MIN_BYTES", 0)
    changed = kind(**LIMITS).apply_to_folder(example.bundle, tmp_path)
    assert changed == ["item_tower.onnx", "retriever.onnx", "user_tower.onnx"]
    want, got = (onnxruntime.InferenceSession(folder / "user_tower.onnx").run(["vector"], raw)[0] for folder in (example.bundle, tmp_path))
    np.testing.assert_allclose(got, want, atol=apart)  # vectors of length 1
    assert (got != want).any()
    feed = raw | {"exclude": np.array([[101]] * 20), "k": np.array([11])}
    items, scores = onnxruntime.InferenceSession(tmp_path / "retriever.onnx").run(["items", "scores"], feed)
    assert (np.sort(items) == np.arange(102, 113)).all()  # all twelve but the excluded one
    assert (np.diff(scores) <= 0).all()
    facts = [
        {entry.key: entry.value for entry in onnx.load(folder / "retriever.onnx").metadata_props} for folder in (example.bundle, tmp_path)
    ]
    assert facts[0] == facts[1]
    assert "vocabulary_sha256/user_id" in facts[1]
