"""The batch's positives compete with each other. Q queries, N candidates, V catalogue rows."""

from torch import Tensor

from recsys.candidates.base import Candidates, Sampled, log_absence, log_inclusion, merge, without_padding


class InBatch(Candidates):
    """Free of extra item vectors: the candidates are the distinct positives.

    An item of training share p is among Q positives with probability q = 1 - (1 - p)^Q. Popular items are there more often, which
    `log_q` corrects; without it they would be pushed down (Yi et al., RecSys 2019). An item that training saw once or twice is hardly
    ever a negative: use `mixed` where such items matter.

    Args:
        item_count: [V] int64 training positives of each item, row 0 pads.
        seed: not read; nothing is drawn.
    """

    log_absence: Tensor

    def __init__(self, item_count: Tensor, seed: int):
        super().__init__()
        self.register_buffer("log_absence", log_absence(item_count, at_least=1), persistent=False)

    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Distinct positives; see `Candidates.sample`."""
        items, positive_at = merge(len(self.log_absence), positives)
        log_q = log_inclusion(len(positives) * self.log_absence[items])
        return Sampled(items, without_padding(items, log_q), positive_at)
