"""A ranker with every kind of feature, as served: raw columns in, calibrated probabilities out."""

import functools
import hashlib

import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch

from recsys.calibration.platt import Platt
from recsys.errors import ReleaseError
from recsys.export.bundle import export_bundle
from recsys.model.mmoe import MMoE
from recsys.nn.cross import CrossNetwork
from recsys.nn.ranking_input import RankingInput
from recsys.nn.target_attention import TargetAttention
from recsys.schema import Categorical, History, Label, MultiCategorical, Numeric, Schema, Statistics, Timestamp, Vector
from recsys.serve import BundleError, Ranker, Retriever
from recsys.task.ranking.export import RankingSection
from recsys.task.ranking.export.graph import export_ranker

FEATURES = (
    Categorical("user_id", "user"),
    MultiCategorical("interests", "user", max_len=3),
    History("history", "user", of="item_id", max_len=4),
    Vector("taste", "user"),
    Categorical("item_id", "item"),
    Numeric("price", "item", log=True),
    Categorical("device", "context"),
    Timestamp("moment", "context"),
    Categorical("position", "bias"),
)
VOCABULARIES = {
    "user_id": [None, None, "u1", "u2", "ü3"],
    "interests": [None, None, 10, 20, 30],
    "item_id": [None, None, 101, 102, 103],
    "device": [None, None, "app", "web"],
    "position": [None, None, 1, 2, 3],
}
KINDS = {"user_id": "string", "interests": "int64", "item_id": "int64", "device": "string", "position": "int64"}
LABELS = (Label("click"), Label("buy", given="click"), Label("spend", given="buy", kind="regression"))
NUMBER = 40


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Model, calibrations, schema, features by index, and the bundle of it."""
    folder = tmp_path_factory.mktemp("ranker")
    statistics = {
        "history": Statistics("int64", 5),
        "taste": Statistics("float32", 2),
        "price": Statistics("float32", mean=1.0, std=0.5),
        "moment": Statistics("int64"),
        "spend": Statistics("float32", mean=30.0, std=10.0),
    }
    for column, values in VOCABULARIES.items():
        path = folder / f"{column}.parquet"
        pl.DataFrame({"value": values}).write_parquet(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        statistics[column] = Statistics(KINDS[column], len(values), vocabulary_sha256=sha256)
    schema = Schema("user_id", "item_id", features=FEATURES, labels=LABELS).fitted(statistics)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        cross, attention = functools.partial(CrossNetwork, 1, None), functools.partial(TargetAttention, [4])
        read = functools.partial(RankingInput, 8, 0.5, sparse_from=10**9, fm=True, cross=cross, attention=attention)
        model = MMoE(
            2, [8], tower_hidden=[4], dropout=0.1, input=read, bias_dropout=0.1, schema=schema, heads=("click", "buy", "spend")
        ).eval()
        torch.nn.init.normal_(model.bias.tables[0].weight)
    calibrations = {"click": Platt(), "buy": Platt()}
    calibrations["click"].load({"slope": 2.0, "intercept": -0.5})
    generator = torch.Generator().manual_seed(1)
    filled = torch.arange(4) < (torch.arange(NUMBER) % 5)[:, None]
    features = {
        "user_id": torch.randint(1, 5, (NUMBER,), generator=generator),
        "interests": torch.randint(1, 5, (NUMBER, 3), generator=generator),
        "history": torch.randint(1, 5, (NUMBER, 4), generator=generator) * filled,
        "taste": torch.randn(NUMBER, 2, generator=generator),
        "item_id": torch.randint(1, 5, (NUMBER,), generator=generator),
        "price": torch.where(torch.arange(NUMBER) % 6 == 5, torch.nan, torch.rand(NUMBER, generator=generator) * 9),
        "device": torch.randint(1, 4, (NUMBER,), generator=generator),
        "moment": torch.randint(0, 2 * 10**9, (NUMBER,), generator=generator),
        "position": torch.randint(1, 5, (NUMBER,), generator=generator),
    }
    section = RankingSection(model, calibrations, features)
    about = {"metrics": {"test/click/auc": 0.7}, "checkpoint": {"ranking": {"step": 1, "sha256": "cd" * 32}}, "folder": folder / "bundle"}
    manifest = export_bundle([section], schema, vocabulary_path=lambda column: folder / f"{column}.parquet", **about)
    return model, calibrations, features, folder / "bundle", manifest


def rows(features, number):
    """Raw rows of the first rows by index."""

    def raw(column, index):
        return VOCABULARIES[column][index] if index > 1 else None

    found = []
    for at in range(number):
        row = {column: raw(column, int(features[column][at])) for column in ("user_id", "item_id", "device")}
        row["interests"] = [raw("interests", int(index)) or -1 for index in features["interests"][at]]
        row["history"] = [raw("item_id", int(index)) or -1 for index in features["history"][at] if index > 0]
        row |= {"taste": features["taste"][at].tolist(), "price": float(features["price"][at]), "moment": int(features["moment"][at])}
        found.append(row)
    return found


def expected(model, calibrations, features, number):
    """By index, without the position, the formulas written out."""
    with torch.no_grad():
        raw = model({column: values[:number] for column, values in features.items() if column != "position"})
    click, buy = (2.0 * raw["click"] - 0.5).sigmoid(), raw["buy"].sigmoid()
    return {"click": click, "buy": buy, "click_buy": click * buy, "spend": raw["spend"], "click_buy_spend": click * buy * raw["spend"]}


def test_answers_are_the_models_without_the_position(served):
    model, calibrations, features, bundle, _ = served
    got = Ranker(bundle).predict(rows(features, 30))
    want = expected(model, calibrations, features, 30)
    assert list(got) == list(want)
    for label, values in want.items():
        np.testing.assert_allclose(got[label], values.numpy(), rtol=2e-6, atol=1e-6)


def test_one_user_serves_many_rows(served):
    _, _, features, bundle, _ = served
    ranker, some = Ranker(bundle), rows(features, 9)
    user = {column: some[0][column] for column in ("user_id", "interests", "history", "taste")}
    candidates = [{column: value for column, value in row.items() if column not in user} for row in some]
    together = ranker.predict(candidates, user=user)
    apart = ranker.predict([{**row, **user} for row in candidates])
    for label in ranker.labels:
        np.testing.assert_allclose(together[label], apart[label], rtol=1e-6)


def test_position_is_no_input(served):
    _, _, _, bundle, _ = served
    names = {entry.name for entry in onnxruntime.InferenceSession(bundle / "ranker.onnx").get_inputs()}
    assert names == {feature.column for feature in FEATURES} - {"position"}
    with pytest.raises(ValueError, match="row 0: got a field 'position'"):
        Ranker(bundle).predict([{"position": 1}])


def test_manifest_says_what_is_predicted_and_how_close(served):
    *_, manifest = served
    assert manifest["labels"] == ["click", "buy", "click_buy", "spend", "click_buy_spend"]
    assert manifest["ranker_parity"]["rows"] == NUMBER
    assert manifest["ranker_parity"]["max_difference"] <= 1e-6


def test_unknown_missing_and_empty_values_are_answered(served):
    *_, bundle, _ = served
    got = Ranker(bundle).predict([{}, {"user_id": "nobody", "item_id": 999, "history": [], "price": None}])
    assert all(0 < value < 1 for label in ("click", "buy", "click_buy") for value in got[label])


def test_no_rows_are_no_answers(served):
    *_, bundle, _ = served
    assert Ranker(bundle).predict([]) == {label: [] for label in ("click", "buy", "click_buy", "spend", "click_buy_spend")}


def test_a_wrong_value_is_named(served):
    *_, bundle, _ = served
    with pytest.raises(ValueError, match=r"row 1, 'price': got 'dear' \(str\); want a finite number"):
        Ranker(bundle).predict([{"price": 1.0}, {"price": "dear"}])


def test_a_bundle_of_the_other_kind_is_refused(served):
    *_, bundle, _ = served
    with pytest.raises(BundleError, match=r"holds no retriever\.onnx"):
        Retriever(bundle)


class Written:
    """A section that is written and answers well."""

    task = "retrieval"

    def write(self, folder, *arguments):
        (folder / "retriever.onnx").write_bytes(b"graph")
        return {}


def test_a_graph_that_answers_otherwise_is_refused_and_nothing_is_left_of_the_section_before_it(served, monkeypatch, tmp_path):
    model, calibrations, features, bundle, _ = served
    schema = Schema.load(bundle / "schema.json")

    def otherwise(served, *arguments):
        graph = export_ranker(served, *arguments)
        served.calibrations["click"].load({"slope": 2.0, "intercept": -0.4})
        return graph

    monkeypatch.setattr("recsys.task.ranking.export.export_ranker", otherwise)
    sections = [Written(), RankingSection(model, calibrations, features)]
    about = {"metrics": {}, "checkpoint": {}, "folder": tmp_path / "run" / "bundle"}
    with pytest.raises(ReleaseError, match=r"ranker\.onnx predicts 'click"):
        export_bundle(sections, schema, vocabulary_path=lambda column: bundle.parent / f"{column}.parquet", **about)
    assert not list((tmp_path / "run").iterdir())
    calibrations["click"].load({"slope": 2.0, "intercept": -0.5})
