"""Item-kNN against scikit-learn's cosine similarity and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from recsys.baseline import item_knn
from recsys.baseline.base import TrainingEvents
from recsys.baseline.item_knn import ItemKNN


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def events(pairs: list[tuple[int, int]], num_users: int, num_items: int) -> TrainingEvents:
    user, item = torch.tensor(pairs).T
    return TrainingEvents(user, item, torch.zeros(len(pairs), dtype=torch.int64), num_users=num_users, num_items=num_items)


def test_all_neighbours_without_shrinkage_are_cosine_similarities(monkeypatch):
    monkeypatch.setattr(item_knn, "CHUNK_ITEMS", 3)  # several chunks
    chosen = np.random.default_rng(0).random((12, 8)) < 0.4
    user, item = chosen.nonzero()
    baseline = ItemKNN(neighbours=[8], shrink=[0.0])

    baseline.fit(events([*zip(user + 1, item + 1), (user[0] + 1, item[0] + 1)], 12, 8), nobody)  # one pair twice
    scores = baseline.scores(torch.tensor([1]), torch.tensor([[0, 0], [2, 5]]))

    similarity = cosine_similarity(chosen.T.astype(float))
    np.fill_diagonal(similarity, 0)
    assert scores[0, 1:].numpy() == pytest.approx(similarity[1] + similarity[4], abs=1e-6)
    assert scores.dtype == torch.float32


def test_shrinkage_by_hand():
    # item 1: users 1 2, item 2: users 1 2 3, one pair of users more than item 3: user 1
    baseline = ItemKNN(neighbours=[2], shrink=[5.0])
    baseline.fit(events([(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (1, 3)], 3, 3), nobody)

    scores = baseline.scores(torch.tensor([1]), torch.tensor([[0], [1]]))

    assert scores[0].tolist() == pytest.approx([0, 0, 2 / (6**0.5 + 5), 1 / (2**0.5 + 5)])


def test_only_the_nearest_neighbours_are_kept():
    baseline = ItemKNN(neighbours=[1], shrink=[0.0])
    baseline.fit(events([(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)], 2, 3), nobody)

    # of item 1's neighbours 2 (cosine 1) and 3 (cosine 0.7) only item 2 stays
    assert baseline.scores(torch.tensor([1]), torch.tensor([[0], [1]]))[0].tolist() == pytest.approx([0, 0, 1, 0])


def test_equally_near_neighbours_are_kept_by_lower_index():
    baseline = ItemKNN(neighbours=[2], shrink=[0.0])
    baseline.fit(events([(1, 4), (1, 3), (1, 2), (1, 1), (1, 5)], 1, 5), nobody)

    assert baseline.scores(torch.tensor([1]), torch.tensor([[0], [3]]))[0].tolist() == [0, 1, 1, 0, 0, 0]


def test_unknown_history_scores_zero():
    baseline = ItemKNN(neighbours=[2], shrink=[1.0])
    baseline.fit(events([(1, 1), (1, 2)], 1, 3), nobody)

    assert baseline.scores(torch.tensor([1, 1]), torch.tensor([[1], [3]])).tolist() == [[0, 0, 0, 0]] * 2


def test_validation_chooses_neighbours_then_shrinkage():
    chosen = events([(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)], 2, 3)
    baseline = ItemKNN(neighbours=[1, 2], shrink=[0.0, 4.0])

    def judge(baseline: ItemKNN) -> float:
        """More neighbours are better, and so is a smaller similarity of items 1 and 2."""
        return baseline.similarity.nnz - baseline.similarity[1, 2]

    baseline.fit(chosen, judge)
    assert baseline.note == "neighbours=2 (of 1, 2), shrink=4.0 (of 0.0, 4.0)"
    assert baseline.similarity[1, 2] == pytest.approx(2 / (2 + 4))
    assert baseline.similarity[1, 3] > 0
