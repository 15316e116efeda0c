"""A funnel of labels over the features of every kind, and the parameters that heads share as their gradients tell."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from recsys.model.base import Ranker
from recsys.nn.ranking_input import RankingInput
from recsys.schema import Categorical, Label, Schema, Statistics

HEADS = ("click", "basket", "conversion", "rating", "conversion/imputation")


@pytest.fixture
def funnel(schema) -> Schema:
    """click, then basket, then conversion, each given the one before; rating is a number, given nothing."""
    return replace(
        schema,
        features=(*schema.features, Categorical("position", "bias")),
        labels=(Label("click"), Label("basket", given="click"), Label("conversion", given="basket"), Label("rating", kind="regression")),
        statistics={**schema.statistics, "position": Statistics("int64", size=5), "rating": Statistics("float32", mean=3.5, std=2.0)},
    )


@pytest.fixture
def features(user_features, item_features) -> dict[str, Tensor]:
    """Three rows, the last one of an unknown user without history."""
    items = {column: values[[0, 1, 0]] for column, values in item_features.items()}
    return {**user_features, **items, "position": torch.tensor([2, 4, 3])}


@pytest.fixture
def assembled(funnel) -> Callable[..., Ranker]:
    """Builds a ranker from its class and sizes, over the funnel's labels and one auxiliary head."""

    def assemble(ranker: type[Ranker], *sizes, dropout: float = 0.0, **named) -> Ranker:
        torch.manual_seed(0)
        rows = partial(RankingInput, 4, 0.0, sparse_from=99, fm=False, cross=None, attention=None)
        return ranker(*sizes, **named, dropout=dropout, input=rows, bias_dropout=0.0, schema=funnel, heads=HEADS)

    return assemble


@pytest.fixture
def head_gradients(features) -> Callable[[Ranker], dict[str, dict[str, Tensor]]]:
    """{parameter: {head: gradient of the sum of the head's outputs}} of a ranker, where it depends on the parameter at all."""

    def gradients(model: Ranker) -> dict[str, dict[str, Tensor]]:
        names, parameters = zip(*model.named_parameters())
        found = {name: {} for name in names}
        for head, output in model(features).items():
            slopes = torch.autograd.grad(output.sum(), parameters, allow_unused=True, retain_graph=True)
            for name, slope in zip(names, slopes):
                if slope is not None and slope.abs().sum() > 0:
                    found[name][head] = slope
        return found

    return gradients


@pytest.fixture
def shared_names(head_gradients) -> Callable[[Ranker], set[str]]:
    """Names of the parameters with an entry that moves the outputs of two heads or more."""

    def names(model: Ranker) -> set[str]:
        slopes = {name: list(by_head.values()) for name, by_head in head_gradients(model).items()}
        return {name for name, found in slopes.items() if found and (sum((slope != 0).int() for slope in found) > 1).any()}

    return names


@pytest.fixture
def declared_names() -> Callable[[Ranker], set[str]]:
    """Names of the parameters that a ranker says are shared."""

    def names(model: Ranker) -> set[str]:
        shared = {id(parameter) for parameter in model.shared_parameters()}
        return {name for name, parameter in model.named_parameters() if id(parameter) in shared}

    return names
