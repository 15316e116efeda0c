"""Cosine contrastive loss. Q queries, N candidates, D dim."""

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from recsys.loss.base import Negatives, RetrievalLoss, weighted_mean
from recsys.ranges import NonNegative


class CCL(RetrievalLoss):
    """(1 - s_p) + negative_weight * mean over negatives n of max(0, s_n - margin), SimpleX (Mao et al., CIKM 2021).

    Scores must be cosines: set model.normalize=true. Negatives below the margin are left alone, so that the hard ones decide. On
    Yelp2018 (38,000 items) reimplementations use margin 0.9 and weight 150. Forms [Q, N].

    Args:
        margin: cosine from which a negative costs.
        negative_weight: weight of all negatives together, the positive's being 1.
        correct_log_q: see `recsys.loss.base.Negatives`.
    """

    def __init__(self, margin: Annotated[float, Interval(ge=-1, le=1)], negative_weight: NonNegative, *, correct_log_q: bool):
        super().__init__()
        self.margin = margin
        self.negative_weight = negative_weight
        self.correct_log_q = correct_log_q

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        negatives = Negatives(users, items, positive_at=positive_at, log_q=log_q, known=known, correct_log_q=self.correct_log_q)
        losses = 1 - negatives.positive + self.negative_weight * negatives.mean(F.relu(negatives.scores - self.margin))
        return weighted_mean(losses, weight)
