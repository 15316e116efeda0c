"""Means of groups of users and items from a table written by hand."""

import math

import torch

from recsys.metric.per_user import Group, UserTable
from recsys.metric.slices import item_group_means, user_group_means

TABLE = UserTable(
    torch.tensor([1, 3, 4]),
    torch.tensor([[0.0, 0.5, 1.0, 0.25], [0.5, 0.25, math.nan, math.nan], [1.0, 0.75, 0.0, 0.0]], dtype=torch.float64),
    items=torch.tensor([[1], [1], [2]]),
    columns=("recall@5", "ndcg@5", "kind=new/recall@5", "kind=new/ndcg@5"),
    left_out=0,
)
AGE = torch.tensor([-1, 0, 0, 1, 1])  # users 1 and 2 are young, 3 and 4 old
KIND = torch.tensor([-1, 0, 1])


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
    means = item_group_means(TABLE, [Group("kind=new", KIND, 0)], ks=[5], min_users=2)

    assert means == {"kind=new/recall@5": 0.5, "kind=new/ndcg@5": 0.125, "kind=new/users": 2.0}


def test_small_and_empty_groups_are_left_out():
    assert user_group_means(TABLE, [Group("age=young", AGE, 0)], ks=[5], min_users=2) == {}
    assert user_group_means(TABLE, [Group("age=none", AGE, 2)], ks=[5], min_users=0) == {}
    assert item_group_means(TABLE, [Group("kind=new", KIND, 0)], ks=[5], min_users=3) == {}
