"""User-kNN against a worked example, against numpy, and by hand."""

import math

import numpy as np
import pytest
import torch

from recsys.baseline.base import TrainingEvents
from recsys.baseline.user_knn import UserKNN

NAN = math.nan
TABLE = [
    # what Ken, Lee, Meg and Nan rated articles 1 to 6 in the example of Resnick et al. (1994); 0 = not rated
    [1, 5, 0, 2, 4, 0],
    [4, 2, 0, 5, 1, 2],
    [2, 4, 3, 0, 0, 5],
    [2, 4, 0, 5, 1, 0],
]
NOTHING = torch.empty((2, 0), dtype=torch.int64)


def nobody(scorer) -> float:
    """A judge where nothing is to be chosen."""
    raise AssertionError("nothing is to be chosen")


def events(rows: list[list[float]], *, rated: bool) -> TrainingEvents:
    """An event for each entry that is not 0, and its value as the rating."""
    values = np.array(rows, dtype=np.float32)
    user, item = values.nonzero()
    rating = torch.from_numpy(values[user, item]) if rated else None
    index = torch.from_numpy(user + 1), torch.from_numpy(item + 1)
    return TrainingEvents(*index, torch.zeros(len(user), dtype=torch.int64), *values.shape, rating)


def fitted(rows: list[list[float]], *, rated: bool, neighbours: int = 10) -> UserKNN:
    baseline = UserKNN(neighbours=[neighbours])
    baseline.fit(events(rows, rated=rated), (lambda scorer: 0.0) if rated else nobody)
    return baseline


def test_the_published_example_gives_the_published_numbers():
    """Ken's correlation is -.8 with Lee, +1 with Meg and 0 with Nan, and he is predicted to rate article 6 with 4.56."""
    baseline = fitted(TABLE, rated=True)
    values = baseline.ratings.values
    assert baseline.ratings.similarity(values[1], values)[0, 1:].tolist() == pytest.approx([1, -0.8, 1, 0])
    scores = baseline.scores(torch.tensor([1]), NOTHING)[0]
    assert scores[6].item() == pytest.approx(4.56, abs=0.005)
    assert scores[3].item() == pytest.approx(3 + 3 - 3)  # Meg alone, who rated 2 and 4 what both rated


def test_correlation_is_that_of_numpy_over_common_items():
    generator = np.random.default_rng(0)
    rows = generator.integers(1, 6, (8, 30)) * (generator.random((8, 30)) < 0.6)
    ratings = fitted(rows.tolist(), rated=True).ratings
    found = ratings.similarity(ratings.values, ratings.values)
    for one in range(8):
        for other in range(8):
            both = (rows[one] > 0) & (rows[other] > 0)
            assert found[one + 1, other + 1] == pytest.approx(np.corrcoef(rows[one, both], rows[other, both])[0, 1], abs=1e-6)


def test_nearest_neighbours_weigh_by_their_correlation():
    rows = [[1, 2, 3, 0], [1, 2, 4, 5], [1, 3, 2, 1], [5, 5, 5, 2]]
    ratings = fitted(rows, rated=True)
    alike = [np.corrcoef([1, 2, 3], [1, 2, 4])[0, 1], 0.5]  # and nothing is known of who rates all alike
    expected = 2 + (alike[0] * (5 - 7 / 3) + alike[1] * (1 - 2)) / sum(alike)
    assert ratings.scores(torch.tensor([1]), NOTHING)[0, 4].item() == pytest.approx(expected)
    assert fitted(rows, rated=True, neighbours=1).scores(torch.tensor([1]), NOTHING)[0, 4].item() == pytest.approx(2 + 5 - 7 / 3)


def test_without_ratings_similar_sets_of_items_count():
    """Known items 1 and 2 beside the sets {1, 2, 3}, {1, 4} and {5}."""
    rows = [[1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    scores = fitted(rows, rated=False).scores(torch.tensor([4]), torch.tensor([[0, 0], [1, 2]]))[0]
    first, second = 2 / math.sqrt(2 * 3), 1 / math.sqrt(2 * 2)
    assert scores.tolist() == pytest.approx([0, first + second, first, first, second, 0])
    nearest = fitted(rows, rated=False, neighbours=1).scores(torch.tensor([4]), torch.tensor([[0, 0], [1, 2]]))[0]
    assert nearest.tolist() == pytest.approx([0, first, first, first, 0, 0])


def test_a_user_is_no_neighbour_of_their_own():
    rows = [[1, 1, 1, 0], [1, 0, 0, 1]]
    scores = fitted(rows, rated=False).scores(torch.tensor([1]), torch.tensor([[0, 0, 0], [1, 2, 3]]))[0]
    assert scores[[2, 3]].tolist() == [0, 0]
    assert scores[4] > 0
    ratings = fitted([[1, 4, 5, 0], [1, 4, 5, 2]], rated=True).scores(torch.tensor([2]), NOTHING)[0]
    assert ratings[4].item() == pytest.approx(3)  # her mean: the other one did not rate it


def test_the_last_rating_of_an_item_counts_and_missing_ones_do_not():
    pairs = TrainingEvents(
        torch.tensor([1, 1, 1, 2]), torch.tensor([1, 1, 2, 1]), torch.zeros(4, dtype=torch.int64), 2, 2, torch.tensor([1.0, 4.0, NAN, 2.0])
    )
    baseline = UserKNN(neighbours=[1])
    baseline.fit(pairs, lambda scorer: 0.0)
    assert baseline.ratings.values.toarray()[1:, 1:].tolist() == [[4, 0], [2, 0]]
    assert baseline.ratings.mean.tolist() == [3, 4, 2]  # of nobody the mean of all


def test_validation_chooses_the_similarity_and_the_neighbours():
    baseline = UserKNN(neighbours=[1, 2])

    def judge(scorer: UserKNN) -> float:
        return scorer.number + (scorer.ratings.similarity.__name__ == "cosine")

    baseline.fit(events(TABLE, rated=True), judge)
    assert baseline.note == "similarity=cosine, neighbours=2 (of 1, 2)"
    assert (baseline.number, baseline.ratings.similarity.__name__) == (2, "cosine")
