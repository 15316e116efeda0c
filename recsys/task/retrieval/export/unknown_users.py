"""Do users whom training never saw get a sensible list? Test users are asked under an unknown id. U users, V catalogue rows, D dim."""

import torch
from torch import Tensor

from recsys.batch import UserBatch
from recsys.metric.beyond_accuracy import self_information
from recsys.metric.per_user import UserMetrics
from recsys.metric.scores import DotProduct
from recsys.metric.top_k import top_k
from recsys.model.two_tower import TwoTower
from recsys.schema import UNKNOWN, Schema

K = 20
"""Length of the lists."""


@torch.no_grad()
def unknown_users(model: TwoTower, items: Tensor, users: UserBatch, count: Tensor, schema: Schema) -> dict[str, float]:
    """Recall of lists for users under an unknown id, beside that of popularity and that under their own id.

    Args:
        items: [V, D] vectors of the catalogue.
        users: of the test.
        count: [V] training events of each item.
    Returns:
        {"k", "users"; "recall", "popularity", "known": means over the users}.
    """
    assert schema.user is not None
    features = users.features
    unknown = features | {column: torch.full_like(values, UNKNOWN) for column, values in features.items() if column == schema.user}
    popular = DotProduct(torch.ones(len(users.user), 1), count.float()[:, None])
    ways = {
        "recall": DotProduct(model.users(unknown), items),
        "popularity": popular,
        "known": DotProduct(model.users(features), items),
    }
    means = {name: _recall(scores, users, count) for name, scores in ways.items()}
    return {"k": K, "users": len(users.user), **means}


def _recall(scores: DotProduct, users: UserBatch, count: Tensor) -> float:
    known, relevant = users.question(exclude_known=True, num_items=len(count) - 1)
    metrics = UserMetrics([K], [], bits=self_information(count), groups=[])
    metrics.update(users.user, top_k(scores, K, known=known, relevant=relevant).cpu(), relevant)
    return float(metrics.compute().column(f"recall@{K}").nanmean())
