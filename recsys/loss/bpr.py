"""Bayesian personalised ranking. Q queries, N candidates, D dim."""

import torch.nn.functional as F
from torch import Tensor

from recsys.loss.base import Negatives, RetrievalLoss, weighted_mean


class BPR(RetrievalLoss):
    """Each negative should score below the positive: mean over negatives n of -log sigmoid(s_p - s_n) (Rendle et al., UAI 2009).

    With many negatives the easy ones outvote the hard ones; `softmax` looks at the hard ones by itself. Meant for dot products:
    differences of cosines stay within [-2, 2] and never saturate the sigmoid. Forms [Q, N].

    Args:
        correct_log_q: see `recsys.loss.base.Negatives`.
    """

    def __init__(self, correct_log_q: bool):
        super().__init__()
        self.correct_log_q = correct_log_q

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        negatives = Negatives(users, items, positive_at=positive_at, log_q=log_q, known=known, correct_log_q=self.correct_log_q)
        losses = negatives.mean(F.softplus(negatives.scores - negatives.positive[:, None]))
        return weighted_mean(losses, weight)
