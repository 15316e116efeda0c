"""One row per user: duplicates, users with nothing to find, groups of items, and exact gathering."""

import math

import pytest
import torch

from recsys.metric.beyond_accuracy import self_information
from recsys.metric.per_user import Group, UserMetrics, UserTable, mean, summary
from recsys.metric.scores import Dense
from recsys.metric.top_k import top_k

NOTHING = torch.empty((2, 0), dtype=torch.int64)
COUNT = torch.tensor([0, 4, 2, 1, 1])
SCORES = torch.tensor([[0.0, 4.0, 3.0, 2.0, 1.0], [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 4.0, 3.0, 2.0, 1.0]])
USERS = torch.tensor([7, 3, 5])
RELEVANT = torch.tensor([[0, 0, 1], [1, 4, 3]])  # user 7 likes items 1 and 4, user 3 likes item 3, user 5 nothing
KIND = Group("kind=odd", torch.tensor([-1, 1, 0, 1, 0]), 1)


def measured(*batches: torch.Tensor, groups: list[Group] | None = None) -> UserTable:
    """The table of users reported in batches of rows of SCORES."""
    metrics = UserMetrics([1, 2], [2], bits=self_information(COUNT), groups=groups or [])
    for rows in batches:
        place = (rows[:, None] == RELEVANT[0]).nonzero()
        relevant = torch.stack([place[:, 0], RELEVANT[1, place[:, 1]]])
        metrics.update(USERS[rows], top_k(Dense(SCORES[rows]), 2, known=NOTHING, relevant=relevant), relevant)
    return metrics.compute()


def test_table_is_sorted_and_counts_users_without_relevant_items():
    table = measured(torch.tensor([0, 1, 2]))

    assert table.user.tolist() == [3, 7]
    assert table.left_out == 1
    assert table.column("recall@1").tolist() == [0.0, 0.5]
    assert table.column("recall@2").tolist() == [1.0, 0.5]
    assert table.items.tolist() == [[4, 3], [1, 2]]
    assert measured(torch.tensor([0])).column("recall@2").tolist() == [0.5]  # a single user keeps its row


def test_user_reported_twice_counts_once():
    once, twice = measured(torch.tensor([0, 1, 2])), measured(torch.tensor([1, 0]), torch.tensor([2, 2, 0, 1]))

    assert torch.equal(once.values, twice.values)
    assert torch.equal(once.user, twice.user)
    assert twice.left_out == 1


def test_process_without_users_still_has_tensors_to_send():
    metrics = UserMetrics([1, 2], [2], bits=self_information(COUNT), groups=[KIND])

    assert [state[0].shape for state in (metrics.user, metrics.values, metrics.items)] == [(0,), (0, 16), (0, 2)]
    assert len(metrics.compute().user) == 0


def test_item_group_counts_only_its_items_as_relevant():
    table = measured(torch.tensor([0, 1, 2]), groups=[KIND])

    # odd items: user 3 finds item 3 second, user 7 finds item 1 first; item 4 of user 7 is not asked for
    assert table.column("kind=odd/recall@2").tolist() == [1.0, 1.0]
    assert table.column("kind=odd/ndcg@2").tolist() == [pytest.approx(1 / math.log2(3)), 1.0]


def test_item_group_is_nan_for_users_without_relevant_items_in_it():
    even = Group("kind=even", KIND.codes, 0)
    table = measured(torch.tensor([0, 1, 2]), groups=[even])

    assert table.column("kind=even/recall@2").isnan().tolist() == [True, False]


def test_summary_holds_means_and_whole_lists():
    result = summary(measured(torch.tensor([0, 1, 2])), [1, 2], 4)

    assert result["recall@2"] == 0.75
    assert result["coverage@1"] == 0.5  # items 4 and 1
    assert result["coverage@2"] == 1.0
    assert result["gini@2"] == 0.0
    assert result["novelty@1"] == pytest.approx((math.log2(12 / 2) + math.log2(12 / 5)) / 2)  # counts + 1: 5 3 2 2
    assert (result["users"], result["users_left_out"]) == (2.0, 1.0)


def test_mean_leaves_out_nan():
    assert mean(torch.tensor([[1.0, math.nan], [3.0, 5.0]], dtype=torch.float64)) == [2.0, 5.0]
