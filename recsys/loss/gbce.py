"""Generalised binary cross-entropy: sampled negatives without overconfidence. Q queries, N candidates, D dim."""

import torch.nn.functional as F
from torch import Tensor

from recsys.loss.base import Negatives, RetrievalLoss, weighted_mean
from recsys.ranges import Share, require_ranges


class GBCE(RetrievalLoss):
    """(-beta log sigmoid(s_p) - sum over K negatives of log(1 - sigmoid(s_n))) / (K + 1), Petrov & Macdonald, RecSys 2023.

    Sampling a share alpha of the negatives makes sigmoid(s_p) too large; the exponent beta on it, sigmoid(s_p)^beta, undoes that:
    beta = alpha (t (1 - 1 / alpha) + 1 / alpha) = 1 - t (1 - alpha). t = 0 is plain BCE, t = 1 gives calibrated probabilities.

    alpha = K / (sum over the K negatives of 1 / q): K / num_items for uniform candidates and 1 for all of them. A negative counts
    in proportion to 1 / q, so popular in-batch items do not count more often than others. log(sigmoid^beta) is taken as
    beta * log sigmoid: raising a float32 sigmoid to a power underflows. Meant for dot products. Forms [Q, N].

    Args:
        t: calibration, in [0, 1].
    """

    def __init__(self, t: Share):
        super().__init__()
        require_ranges(GBCE, locals())
        self.t = t

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        negatives = Negatives(users, items, positive_at=positive_at, log_q=log_q, known=known, correct_log_q=True)
        beta = (1 - self.t * (1 - negatives.rate)).to(negatives.scores.dtype)
        count = negatives.count.to(negatives.scores.dtype)
        summed = beta * F.softplus(-negatives.positive) + count * negatives.mean(F.softplus(negatives.scores))
        return weighted_mean(summed / (count + 1), weight)
