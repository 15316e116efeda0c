"""A real loss against the bundle in production is refused, noise is not; both bundles answer the same raw questions."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from recsys.errors import ConfigError
from recsys.export.bundle import load_vocabularies
from recsys.export.golden import columns
from recsys.export.production import Production, gate, production_gates
from recsys.export.publish import write_manifest
from recsys.export.requests import requests
from recsys.metric.interval import interval_of_share
from recsys.metric.paired import Sample, comparisons
from recsys.schema import Label, Numeric, Schema
from recsys.serve import Retriever
from recsys.task.ranking.export.questions import RowQuestions
from recsys.task.retrieval.export.questions import UserQuestions


def users(example, relevant):
    """The example's users, each of whom chose these items."""
    vocabularies, kinds = load_vocabularies(example.schema, example.path), example.schema.of("user")
    generator = np.random.default_rng(0)
    asked = requests(example.user_features, kinds, example.schema, vocabularies, generator, unknown_share=0, empty_share=0)
    return UserQuestions(asked.raw, [[]] * len(asked), [relevant(row) for row in range(len(asked))], items={})


@pytest.fixture(scope="module")
def first(example):
    """The first item of a user's list."""
    raw = columns(users(example, lambda row: [0]).raw, example.schema)
    rows = {name: values.to_list() for name, values in raw.items()}
    lists = [answer.items for answer in Retriever(example.bundle).recommend(rows, k=1)]
    return lambda row: lists[row]


@pytest.fixture
def shuffled(example, tmp_path):
    """A bundle whose retriever has the items' vectors in another order: a model that knows nothing."""
    folder = tmp_path / "bundle"
    shutil.copytree(example.bundle, folder)
    graph = onnx.load(folder / "retriever.onnx")
    catalogue = next(constant for constant in graph.graph.initializer if tuple(constant.dims) == (8, 13))
    values = numpy_helper.to_array(catalogue).copy()
    values[:, 1:] = values[:, 1:][:, ::-1]
    catalogue.CopyFrom(numpy_helper.from_array(values, catalogue.name))
    onnx.save(graph, folder / "retriever.onnx")
    (folder / "golden.json").unlink()  # it would not open
    write_manifest(folder, {key: value for key, value in example.manifest.items() if key not in ("files", "sha256")})
    return folder


def test_a_bundle_is_no_worse_than_itself(example, first):
    gates = production_gates(example.bundle, Production.open(example.bundle), example.schema, {"retrieval": users(example, first)})
    assert [(gate.passed, gate.found.partition(" ")[0]) for gate in gates] == [(True, "recall@20"), (True, "ndcg@20")]
    assert gates[0].found.partition(": ")[2].startswith("+0.0000 (-0.")  # even so, as many users would not show a small difference


def test_a_real_loss_is_refused_with_both_intervals(example, shuffled, first):
    _, ndcg = production_gates(shuffled, Production.open(example.bundle), example.schema, {"retrieval": users(example, first)})
    assert not ndcg.passed
    # its own first item at the first place gives every user an NDCG of 1
    assert "against 1.0000 (0.8389 to 1.0000): -0." in ndcg.found  # Wilson, 20 users


def test_a_gain_passes(example, shuffled, first):
    _, ndcg = production_gates(example.bundle, Production.open(shuffled), example.schema, {"retrieval": users(example, first)})
    assert ndcg.passed
    assert ndcg.found.startswith("ndcg@20 1.0000")


def test_a_difference_within_noise_passes_both_ways(example, shuffled):
    asked = users(example, lambda row: [101 + row * 5 % 12])
    for new, old in ((example.bundle, shuffled), (shuffled, example.bundle)):
        for each in production_gates(new, Production.open(old), example.schema, {"retrieval": asked}):
            assert each.passed, each.found


class Predicts:
    """A ranker of a bundle that predicts by column x."""

    labels = ("click", "buy", "click_buy")
    user_fields, row_fields = {}, {"x": None}

    def __init__(self, sign):
        self.sign = sign

    def predict(self, rows):
        click = [1 / (1 + np.exp(-self.sign * value)) for value in rows["x"]]
        return {"click": click, "buy": [0.5] * len(click), "click_buy": [value / 2 for value in click]}


@pytest.fixture
def questions():
    """400 rows of 40 users: who clicks has the larger x; one click in two buys."""
    x = np.tile(np.array([-1.0, 1.0, -2.0, 2.0, -0.5, 0.5, -3.0, 3.0, 0.1, -0.1], np.float32), 40)
    click = torch.from_numpy((x > 0).astype(np.float32))
    buy = torch.where(click == 1, torch.arange(400) % 4 < 2, torch.nan).float()
    return RowQuestions({"x": x}, {"click": click, "buy": buy}, torch.arange(400) // 10)


SHOP = Schema("user", "item", features=(Numeric("x", "context"),), labels=(Label("click"), Label("buy", given="click")))


def test_predictions_are_compared_where_their_label_is_defined(questions):
    samples = {sample.metric: sample.estimates for sample in questions.samples(Predicts(1), Predicts(-1), SHOP, Path("old"))}
    assert samples["click/auc"] == (0.0, 1.0)  # production first
    assert samples["buy/auc"] == (0.5, 0.5)  # among clicked rows, where both say the same of all
    assert set(samples) == {"click/auc", "buy/auc", "click_buy/auc"}


def test_a_ranker_that_got_worse_is_refused(questions):
    gates = [gate(one, "old") for one in comparisons(questions.samples(Predicts(-1), Predicts(1), SHOP, Path("old")))]
    assert {each.found.partition("/")[0]: each.passed for each in gates} == {"click": False, "buy": True, "click_buy": False}


def test_a_loss_among_too_few_users_passes_and_says_so(questions):
    few = RowQuestions(
        {"x": questions.raw["x"][:90]}, {label: values[:90] for label, values in questions.labels.items()}, questions.user[:90]
    )
    gates = [gate(one, "old") for one in comparisons(few.samples(Predicts(-1), Predicts(1), SHOP, Path("old")))]
    assert [each.passed for each in gates] == [True] * 3
    assert gates[0].found.startswith("click/auc 0.0000 against 1.0000: -1.0000")
    assert gates[0].found.endswith("; 9 users or rows are too few to tell")


def test_a_bundle_that_lacks_a_part_of_the_other_is_refused(example, tmp_path):
    (gate,) = production_gates(tmp_path, Production.open(example.bundle), example.schema, {})
    assert not gate.passed
    assert gate.found == "retriever.onnx is missing"


def test_a_graph_that_production_has_lost_is_no_graph_that_it_never_had(example, shuffled, first):
    (shuffled / "retriever.onnx").unlink()
    with pytest.raises(ConfigError, match=r"retriever\.onnx(.|\n)*against="):
        production_gates(example.bundle, Production.open(shuffled), example.schema, {"retrieval": users(example, first)})


def test_a_resample_without_a_positive_does_not_count():
    (one,) = comparisons([Sample("a", (0.6, 0.6), np.array([[0.6, np.nan, 0.6], [0.6, np.nan, 0.6]]), 20, interval_of_share)])
    assert gate(one, "old").passed


def test_a_damaged_bundle_in_production_is_named(example, shuffled):
    (shuffled / "retriever.onnx").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"retriever\.onnx(.|\n)*against="):
        production_gates(example.bundle, Production.open(shuffled), example.schema, {})


def test_values_of_another_type_are_named(example, first):
    asked = users(example, first)
    asked.raw["city"] = np.arange(20)
    with pytest.raises(ConfigError, match=r"cannot read this run's test data: row 0, 'city'"):
        production_gates(example.bundle, Production.open(example.bundle), example.schema, {"retrieval": asked})
