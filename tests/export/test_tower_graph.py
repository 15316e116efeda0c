"""Models that must not be exported as they are."""

import copy

import pytest
import torch

from recsys.errors import IntegrityError
from recsys.task.retrieval.export.graph import export_tower


def export(model, example):
    return export_tower(model, model.users, example.schema.of("user"), example.schema, {})


def test_model_in_training_mode_is_refused(example):
    model = copy.deepcopy(example.model)
    model.user_tower.dropout.train()
    with pytest.raises(IntegrityError, match=r"training mode(.|\n)*user_tower\.dropout(.|\n)*model\.eval\(\)"):
        export(model, example)


def test_half_precision_weights_are_refused_by_name(example):
    model = copy.deepcopy(example.model)
    model.item_tower.half()
    with pytest.raises(IntegrityError, match=r"not float32(.|\n)*item_tower\.\S+ \(torch\.float16\)"):
        export(model, example)


def test_weights_that_are_not_finite_are_refused_by_name(example):
    model = copy.deepcopy(example.model)
    with torch.no_grad():
        model.user_tower.start[0] = torch.nan
    with pytest.raises(IntegrityError, match=r"not finite(.|\n)*user_tower\.start"):
        export(model, example)
