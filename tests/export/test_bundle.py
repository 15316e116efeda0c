"""The whole export: raw values in, the model's answers out; nothing is published unless that holds."""

import hashlib
import json

import mmh3
import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
import torch

from recsys.config import GateConfig
from recsys.errors import DataError, IntegrityError, ReleaseError
from recsys.export.bundle import Release, export_bundle, load_vocabularies
from recsys.schema import Categorical, Schema
from recsys.serve import Retriever
from recsys.task.retrieval.export import RetrievalSection

NONE = -(2**63)
RAW = {
    "user_id": np.array(["ü3", "nobody", ""], dtype=object),
    "city": np.array(["Köln", "", "東京"], dtype=object),
    "vip": np.array([1, 0, NONE]),
    "age": np.array([18.0, np.nan, 60.0], dtype=np.float32),
    "interests": np.array([[30, 7, 10, 20], [NONE] * 4, [20, NONE, NONE, NONE]]),
    "history": np.array([[101, 102, 103, 104, 105, 999], [NONE] * 6, [105, NONE, NONE, NONE, NONE, NONE]]),
    "brands": np.array([[1, 2, 3, 4, 5, 6], [NONE] * 6, [7, NONE, NONE, NONE, NONE, NONE]]),
    "taste": np.array([[0.5, -1.0], [0.0, 0.0], [2.0, 3.0]], dtype=np.float32),
    "joined": np.array([1_700_000_000, -1, NONE]),
}


def city(name: str) -> int:
    return 2 + mmh3.hash(name, 0, signed=False) % 8


def brand(number: int) -> int:
    return 2 + mmh3.hash(number.to_bytes(8, "little"), 0, signed=False) % 5


# By hand from the vocabularies of conftest.py: index 2 is the first known value, 1 unknown or missing, 0 padding. Of six entries of a
# history the last four count, of four interests the first three; a missing moment is 1970.
INDEX = {
    "user_id": [4, 1, 1],
    "city": [city("Köln"), 1, city("東京")],
    "vip": [3, 2, 1],
    "age": [18.0, float("nan"), 60.0],
    "interests": [[4, 1, 2], [0, 0, 0], [3, 0, 0]],
    "history": [[4, 5, 6, 1], [0, 0, 0, 0], [6, 0, 0, 0]],
    "brands": [[brand(3), brand(4), brand(5), brand(6)], [0, 0, 0, 0], [brand(7), 0, 0, 0]],
    "taste": [[0.5, -1.0], [0.0, 0.0], [2.0, 3.0]],
    "joined": [1_700_000_000, -1, 0],
}


def test_user_tower_answers_raw_values_like_the_model_answers_indices(example):
    session = onnxruntime.InferenceSession(example.bundle / "user_tower.onnx")
    with torch.inference_mode():
        want = example.model.users({column: torch.tensor(values) for column, values in INDEX.items()})
    np.testing.assert_allclose(session.run(["vector"], RAW)[0], want, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_user_tower_does_not_depend_on_the_batch(example, batch_size):
    session = onnxruntime.InferenceSession(example.bundle / "user_tower.onnx")
    rows = np.arange(batch_size) % 3
    with torch.inference_mode():
        want = example.model.users({column: torch.tensor(values) for column, values in INDEX.items()})[rows]
    np.testing.assert_allclose(session.run(["vector"], {column: values[rows] for column, values in RAW.items()})[0], want, atol=1e-6)


def test_item_tower_answers_raw_values_like_the_model_answers_indices(example):
    session = onnxruntime.InferenceSession(example.bundle / "item_tower.onnx")
    raw = {
        "item_id": np.array([103, 5]),
        "brand": np.array([12, NONE]),
        "price": np.array([2.5, 0.0], dtype=np.float32),
        "words": np.array([["blue", "red"], ["", ""]], dtype=object),
    }
    index = {
        "item_id": torch.tensor([4, 1]),
        "brand": torch.tensor([brand(12), 1]),
        "price": torch.tensor([2.5, 0.0]),
        "words": torch.tensor([[3], [0]]),
    }
    with torch.inference_mode():
        want = example.model.items(index)
    np.testing.assert_allclose(session.run(["vector"], raw)[0], want, atol=1e-6)


def test_retriever_lists_what_the_model_scores_highest(example):
    retriever = Retriever(example.bundle)
    with torch.inference_mode():
        users = example.model.users({column: torch.tensor(values) for column, values in INDEX.items()})
        scores = users @ example.model.items({column: values[1:] for column, values in example.item_features.items()}).T
    rows = [
        {
            "user_id": "ü3", "city": "Köln", "vip": True, "age": 18, "interests": [30, 7, 10, 20],
            "history": [101, 102, 103, 104, 105, 999], "brands": [1, 2, 3, 4, 5, 6], "taste": [0.5, -1.0], "joined": 1_700_000_000,
        },
        {"user_id": "nobody", "vip": False, "joined": -1},
        {"city": "東京", "age": 60.0, "interests": [20], "history": [105], "brands": [7], "taste": [2.0, 3.0]},
    ]  # fmt: skip
    for row, answer in enumerate(retriever.recommend(rows, k=5)):
        order = sorted(range(12), key=lambda item: (-round(scores[row, item].item(), 5), item))[:5]
        assert answer.items == [101 + item for item in order]
        np.testing.assert_allclose(answer.scores, scores[row, order], atol=1e-5)


def test_items_of_equal_vectors_stand_in_catalogue_order(example):
    ids = Retriever(example.bundle).recommend([{}], k=12)[0].items
    assert ids.index(112) == ids.index(111) + 1


def test_manifest_names_every_file_with_its_sha256(example):
    manifest = json.loads((example.bundle / "manifest.json").read_text())
    names = {"user_tower.onnx", "item_tower.onnx", "retriever.onnx", "item_embeddings.parquet", "schema.json", "metrics.json"}
    names |= {"golden.json", "golden.parquet", "card.md", "sbom.json"}
    assert set(manifest["files"]) == names
    assert {path.name for path in example.bundle.iterdir()} == names | {"manifest.json"}
    for name, facts in manifest["files"].items():
        assert facts["sha256"] == hashlib.sha256((example.bundle / name).read_bytes()).hexdigest()
    assert manifest["items"] == {"column": "item_id", "dtype": "int64", "count": 12}
    assert manifest["parity"]["lists"] == 20 * 3 * 2
    assert manifest["parity"]["max_score_difference"] <= 1e-5


def test_graphs_carry_the_hashes_of_schema_and_vocabularies_and_no_folder_of_this_machine(example):
    content = (example.bundle / "retriever.onnx").read_bytes()
    facts = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert facts["schema_sha256"] == hashlib.sha256((example.bundle / "schema.json").read_bytes()).hexdigest()
    assert facts["vocabulary_sha256/item_id"] == hashlib.sha256(example.path("item_id").read_bytes()).hexdigest()
    assert b"two_tower.py" not in content


def test_item_embeddings_are_the_models_item_vectors_under_raw_ids(example):
    frame = pl.read_parquet(example.bundle / "item_embeddings.parquet")
    with torch.inference_mode():
        want = example.model.items({column: values[1:] for column, values in example.item_features.items()})
    assert frame["item_id"].to_list() == list(range(101, 113))
    np.testing.assert_allclose(frame["vector"].to_numpy(), want, atol=1e-7)


def export_again(example, schema=None, item_ids=None, **about):
    ids = example.item_ids if item_ids is None else item_ids
    section = RetrievalSection(example.model, example.item_features, ids, example.user_features)
    about = {"metrics": {}, "checkpoint": {}, "folder": example.bundle} | about
    return export_bundle([section], schema or example.schema, vocabulary_path=example.path, **about)


@pytest.fixture
def traced_towers(example, monkeypatch):
    """The towers of the first export, for exports that differ in other things: to trace a graph takes seconds."""

    def loaded(model, tower, *others):
        return onnx.load(example.bundle / ("user_tower.onnx" if tower == model.users else "item_tower.onnx"))

    monkeypatch.setattr("recsys.task.retrieval.export.export_tower", loaded)


@pytest.mark.usefixtures("traced_towers")
def test_a_metric_that_is_not_finite_is_below_its_floor_and_no_metric_of_the_bundle(example, tmp_path):
    about = {"metrics": {"test/a": None, "test/b": 0.5}, "folder": tmp_path / "bundle"}
    with pytest.raises(ReleaseError, match="floor: test/a is not finite") as refused:
        export_again(example, **about, release=Release(GateConfig(min={"test/a": 0.0})))
    assert refused.value.exit_code == 12
    export_again(example, **about)
    assert json.loads((tmp_path / "bundle" / "metrics.json").read_text()) == {"test/b": 0.5}


@pytest.mark.usefixtures("traced_towers")
def test_size_is_of_all_that_is_published(example, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.export.bundle.write_card", lambda folder, *facts, **more: (folder / "card.md").write_bytes(bytes(10**6)))
    asked = {"folder": tmp_path / "bundle", "checkpoint": {"retrieval": {"step": 7, "sha256": "ab" * 32}}}
    manifest = export_again(example, **asked, release=Release(GateConfig(size_mb=9)))
    size = sum(path.stat().st_size for path in asked["folder"].iterdir())
    (line,) = [gate for gate in manifest["gates"] if gate["gate"] == "size"]
    assert float(line["found"].removesuffix(" MB")) == pytest.approx(size / 1e6, abs=0.006)
    with pytest.raises(ReleaseError, match=r"size: 1\.\d\d MB"):
        export_again(example, **asked, release=Release(GateConfig(size_mb=1)))


@pytest.mark.usefixtures("traced_towers")
def test_refused_export_leaves_the_published_bundle_as_it_was(example, monkeypatch):
    before = {path.name: path.read_bytes() for path in example.bundle.iterdir()}

    def refuse(*arguments, **named):
        raise IntegrityError()

    monkeypatch.setattr("recsys.task.retrieval.export.parity", refuse)
    with pytest.raises(IntegrityError):
        export_again(example)
    assert {path.name: path.read_bytes() for path in example.bundle.iterdir()} == before
    assert not list(example.bundle.parent.glob(".bundle*"))


def test_vocabulary_of_another_run_is_refused_by_name(example, tmp_path):
    for column in ("user_id", "vip", "interests", "words"):
        (tmp_path / f"{column}.parquet").write_bytes(example.path(column).read_bytes())
    pl.DataFrame({"value": [None, None, 105, 104, 103, 102, 101]}).write_parquet(tmp_path / "item_id.parquet")
    with pytest.raises(IntegrityError, match=r"1 problem:\n.*not the one that the model was trained with\n.*column 'item_id'"):
        load_vocabularies(example.schema, lambda column: tmp_path / f"{column}.parquet")


def test_column_with_the_name_of_a_graph_output_is_refused(example):
    schema = Schema("user_id", "item_id", features=(Categorical("scores", "user"),))
    with pytest.raises(DataError, match="input or output of the name 'scores'"):
        export_again(example, schema=schema)


def test_item_whose_id_means_missing_is_refused(example):
    with pytest.raises(DataError, match=r"1 items have no id, or the id -9223372036854775808"):
        export_again(example, item_ids=pl.Series([None, NONE, *range(102, 113)]))
