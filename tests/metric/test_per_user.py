"""One row per user: duplicates, users with nothing to find, groups, exact gathering, and intervals."""

import math

import pytest
import torch

from recsys.metric.beyond_accuracy import self_information
from recsys.metric.per_user import (
    Group,
    UserMetrics,
    UserTable,
    intervals,
    item_group_means,
    mean,
    summary,
    too_few,
    user_group_means,
)
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


TABLE = UserTable(
    torch.tensor([1, 3, 4]),
    torch.tensor([[0.0, 0.5, 1.0, 0.25], [0.5, 0.25, math.nan, math.nan], [1.0, 0.75, 0.0, 0.0]], dtype=torch.float64),
    items=torch.tensor([[1], [1], [2]]),
    columns=("recall@5", "ndcg@5", "kind=new/recall@5", "kind=new/ndcg@5"),
    left_out=0,
)
AGE = torch.tensor([-1, 0, 0, 1, 1])  # users 1 and 2 are young, 3 and 4 old
KINDS = torch.tensor([-1, 0, 1])


def test_user_group_is_the_mean_of_its_users_in_the_table():
    means = user_group_means(TABLE, [Group("age=young", AGE, 0), Group("age=old", AGE, 1)], ks=[5], min_users=1)

    assert means == {
        "age=young/recall@5": 0.0,
        "age=young/ndcg@5": 0.5,
        "age=young/users": 1.0,
        "age=old/recall@5": 0.75,
        "age=old/ndcg@5": 0.5,
        "age=old/users": 2.0,
    }


def test_item_group_is_the_mean_over_users_it_is_relevant_to():
    means = item_group_means(TABLE, [Group("kind=new", KINDS, 0)], ks=[5], min_users=2)

    assert means == {"kind=new/recall@5": 0.5, "kind=new/ndcg@5": 0.125, "kind=new/users": 2.0}


def test_small_and_empty_groups_are_left_out():
    assert user_group_means(TABLE, [Group("age=young", AGE, 0)], ks=[5], min_users=2) == {}
    assert user_group_means(TABLE, [Group("age=none", AGE, 2)], ks=[5], min_users=0) == {}
    assert item_group_means(TABLE, [Group("kind=new", KINDS, 0)], ks=[5], min_users=3) == {}


def test_every_mean_has_an_interval_of_its_kind():
    hits = torch.tensor([[1.0], [0.0]] * 10, dtype=torch.float64)
    bounds = intervals(torch.cat([hits, 3 + hits], 1), ["test/hit_rate@10", "novelty@10"])
    # Wilson's of 10 in 20, as tables have it; a mean of 3.5 with a standard error of .1147 and Student's 2.093
    assert bounds["test/hit_rate@10"] == pytest.approx((0.2993, 0.7007), abs=5e-5)
    assert bounds["novelty@10"] == pytest.approx((3.5 - 2.0930 * 0.11471, 3.5 + 2.0930 * 0.11471), abs=5e-5)


def test_few_users_have_no_interval_and_a_sentence():
    assert intervals(torch.rand(19, 1, dtype=torch.float64), ["recall@10"]) == {}
    assert "19" in too_few(19)[0]
    assert too_few(20) == []
