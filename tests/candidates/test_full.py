"""The whole training catalogue as candidates."""

import torch

from recsys.candidates.full import Full


def test_every_item_of_training_is_there_for_certain():
    sampled = Full(torch.tensor([0, 3, 0, 1, 2, 0]), 0).sample(torch.tensor([4, 1]), 0, torch.empty(2, 2))
    assert sampled.items.tolist() == [1, 3, 4]
    assert sampled.log_q.tolist() == [0.0, 0.0, 0.0]
    assert sampled.positive_at.tolist() == [2, 0]
