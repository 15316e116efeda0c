"""An index is built and measured with the files that are published, narrow ones included."""

import shutil

import numpy as np
import onnx
import pytest

from recsys.disk import file_sha256
from recsys.export.bundle import Release, export_bundle, load_vocabularies
from recsys.export.graph import session
from recsys.export.index.hnsw import HNSW
from recsys.export.quantize.int8_dynamic import Int8Dynamic
from recsys.export.requests import requests, single
from recsys.task.retrieval.export import RetrievalSection
from recsys.task.retrieval.export.questions import UserQuestions

INDEX = HNSW(m=4, ef_construction=20, ef_search=[20], k=5, min_recall=0.1, seed=0)
INT8 = Int8Dynamic(min_recall_ratio=0.0, max_auc_loss=1.0, max_ece_loss=1.0, max_rmse_ratio=9.0, max_p50_ratio=99.0)


@pytest.fixture
def questions(example):
    vocabularies, kinds = load_vocabularies(example.schema, example.path), (example.schema.of("user"), example.schema.of("item"))
    features = (example.user_features, {column: values[1:] for column, values in example.item_features.items()})
    raw, items = (requests(rows, kind, example.schema, vocabularies, np.random.default_rng(0)).raw for rows, kind in zip(features, kinds))
    return UserQuestions(raw, [[]] * 20, [[101 + row % 12] for row in range(20)], items)


def test_queries_are_what_the_published_tower_makes_of_each_user_alone(example, questions, tmp_path, monkeypatch):
    shutil.copy(example.bundle / "item_embeddings.parquet", tmp_path)
    onnx.save(INT8.apply(onnx.load(example.bundle / "user_tower.onnx")), tmp_path / "user_tower.onnx")
    seen = {}

    def noted(folder, index, vectors, ids, queries, exact):
        seen.update(vectors=vectors, ids=ids, queries=queries)

    monkeypatch.setattr("recsys.task.retrieval.export.questions.write_index", noted)
    questions.approximate(tmp_path, INDEX, example.manifest)
    tower = session(tmp_path / "user_tower.onnx")
    alone = [tower.run(["vector"], single(questions.raw, row))[0] for row in range(20)]
    np.testing.assert_array_equal(seen["queries"], np.concatenate(alone))
    assert (seen["queries"] != tower.run(["vector"], dict(questions.raw))[0]).any()
    assert seen["ids"].tolist() == [-(2**63), *range(101, 113)]
    assert (seen["vectors"][0] == 0).all()
    np.testing.assert_allclose(seen["vectors"][1:], example.model.catalogue(example.item_features).numpy()[1:], atol=1e-7)


def test_index_is_measured_after_weights_became_narrow(example, questions, tmp_path, monkeypatch):
    towers, approximate = [], UserQuestions.approximate

    def noted(self, folder, *asked):
        towers.append(file_sha256(folder / "user_tower.onnx"))
        return approximate(self, folder, *asked)

    monkeypatch.setattr(UserQuestions, "approximate", noted)
    monkeypatch.setattr("recsys.export.narrow.verdict", lambda figures, limits: [])  # these graphs are too small to become smaller
    manifest = export_bundle(
        [RetrievalSection(example.model, example.item_features, example.item_ids, example.user_features)],
        example.schema,
        vocabulary_path=example.path,
        metrics={},
        checkpoint={},
        folder=tmp_path / "bundle",
        release=Release(quantization=INT8, index=INDEX, questions={"retrieval": questions}),
    )
    assert towers == [manifest["files"]["user_tower.onnx"]["sha256"]]
    assert manifest["index"]["kind"] == "hnsw"
    assert "faiss-cpu" in manifest["versions"]
    assert [gate["gate"] for gate in manifest["gates"]] == ["parity", "quantization", "index", "golden"]
    assert manifest["parity"]["weights"] == "float32, before quantize=int8_dynamic"
    assert 0 < manifest["quantized"]["vectors"]["user_tower"] < 0.1
    assert 0 < manifest["quantized"]["vectors"]["item_tower"] < 0.1
