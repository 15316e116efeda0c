"""Softmax over candidates with logQ correction. Q queries, N candidates, D dim."""

from torch import Tensor

from recsys.loss.base import RetrievalLoss, Temperature
from recsys.loss.fused_softmax import fused_softmax


class SampledSoftmax(RetrievalLoss):
    """-log softmax of the positive among the candidates.

    s = user . item / temperature. A negative's logit is s - log q, which makes the sum over candidates an unbiased estimate of the
    sum over the catalogue (`recsys.candidates.base`); with `candidates=full` every log q is 0 and nothing is estimated. Of the
    losses here the first to try: it weighs negatives by their score, so that hard ones decide. Never forms [Q, N] at once.

    The positive is not sampled: it is in the sum with probability 1, and its logit is s (Khrylchenko et al., RecSys 2025,
    "Correcting the LogQ Correction"). The older form (positive_is_sampled true; Yi et al., RecSys 2019) corrects the positive too,
    as if it had been drawn: a rare positive then looks as if it were learnt already and gets too little gradient.

    The loss of 2025 reads -sg(1 - P) log(exp(s_p) / S), where S = sum over negatives n of exp(s_n - log q_n), P = exp(s_p) /
    (exp(s_p) + S) and sg stops the gradient. Its gradient is (1 - P) (sum_n exp(s_n - log q_n) / S grad s_n - grad s_p). Since
    1 - P = S / (exp(s_p) + S), this is sum_n P_n grad s_n - (1 - P) grad s_p with P_n = exp(s_n - log q_n) / (exp(s_p) + S): the
    gradient of the cross-entropy whose positive is uncorrected. That cross-entropy is what is computed and reported here.

    Args:
        temperature: divides the scores; about 0.05 to 0.2 for unit vectors, 1 for dot products. Start value if learnable.
        learnable_temperature: train it, between the next two.
        min_temperature: lower bound, never passed.
        max_temperature: upper bound, never passed.
        positive_is_sampled: the older form.
    """

    def __init__(
        self,
        temperature: float,
        learnable_temperature: bool,
        *,
        min_temperature: float,
        max_temperature: float,
        positive_is_sampled: bool,
    ):
        super().__init__()
        self.temperature = Temperature(temperature, learnable_temperature, low=min_temperature, high=max_temperature)
        self.positive_is_sampled = positive_is_sampled

    def forward(self, users: Tensor, items: Tensor, positive_at: Tensor, *, log_q: Tensor, known: Tensor | None, weight: Tensor) -> Tensor:
        """Weighted mean loss over queries; see `RetrievalLoss.forward`."""
        return fused_softmax(
            users,
            items,
            positive_at,
            temperature=self.temperature(),
            log_q=log_q,
            positive_log_q=log_q[positive_at] * self.positive_is_sampled,
            known=known,
            weight=weight,
            exponent=1.0,
            positive_competes=True,
        )
