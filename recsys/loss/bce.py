"""Binary cross-entropy over the positive and its negatives. Q queries, N candidates, D dim."""

import torch.nn.functional as F
from torch import Tensor

from recsys.loss.base import Negatives, RetrievalLoss, weighted_mean
from recsys.ranges import NonNegative


class BCE(RetrievalLoss):
    """-log sigmoid(s_p) - negative_weight * mean over negatives n of log(1 - sigmoid(s_n)).

    With negative_weight = 1 this is SASRec's loss (Kang & McAuley, ICDM 2018) with its one random negative replaced by its expected
    value. It overestimates probabilities where negatives are sampled; `gbce` mends that. Meant for dot products. Forms [Q, N].

    Args:
        negative_weight: weight of all negatives together, the positive's being 1.
        correct_log_q: see `recsys.loss.base.Negatives`.
    """

    def __init__(self, negative_weight: NonNegative, correct_log_q: bool):
        super().__init__()
        self.negative_weight = negative_weight
        self.correct_log_q = correct_log_q

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        negatives = Negatives(users, items, positive_at=positive_at, log_q=log_q, known=known, correct_log_q=self.correct_log_q)
        losses = F.softplus(-negatives.positive) + self.negative_weight * negatives.mean(F.softplus(negatives.scores))
        return weighted_mean(losses, weight)
