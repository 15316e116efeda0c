"""Bilateral softmax loss. Q queries, N candidates, D dim."""

from torch import Tensor

from recsys.loss.base import RetrievalLoss
from recsys.loss.softmax import fused_softmax
from recsys.ranges import Positive, require_ranges


class BSL(RetrievalLoss):
    """-s_p / temperature + exponent * log(sum over negatives n of exp(s_n / temperature - log q_n)), Wu et al., ICDE 2024.

    This is the form of the authors' code: both sides share the first temperature, and the second is the power of the negatives' sum.
    exponent = 1 is the softmax whose positive is not among its own competitors; above 1 the negatives push harder than the positive
    pulls. For unit vectors (model.normalize=true). Published for matrix factorisation: Yelp2018 0.11 and 1.10, Gowalla 0.08 and
    1.22, MovieLens-1M 0.17 and 1.06. Never forms [Q, N] at once.

    The authors average exp(s_p / temperature) over a user's positives within a batch; here every positive is a query of its own,
    which is the same when a batch holds a user once. With sampled candidates the sum estimates that over the whole catalogue.

    Args:
        temperature: divides the scores; about 0.05 to 0.2 for unit vectors.
        exponent: weight of the negatives' side.
    """

    def __init__(self, temperature: Positive, exponent: Positive):
        super().__init__()
        require_ranges(BSL, locals())
        self.temperature = temperature
        self.exponent = exponent

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        return fused_softmax(
            users,
            items,
            positive_at,
            temperature=self.temperature,
            log_q=log_q,
            positive_log_q=log_q.new_zeros(len(users)),
            known=known,
            weight=weight,
            exponent=self.exponent,
            positive_competes=False,
        )
