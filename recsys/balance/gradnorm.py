"""Losses weighed so that no label's gradient outgrows the others'. T labels."""

import torch
from torch import Tensor, nn

from recsys.balance.base import Balance
from recsys.balance.gradients import gradients_by_label, mean_over_processes, scalar_products
from recsys.ranges import NonNegative, Positive, require_ranges

TINY = torch.finfo(torch.float32).tiny
"""Keeps quotients finite where no label has a gradient."""


class GradNorm(Balance):
    """sum of w_i L_i; the w_i, which sum to T, move so that the norms of the weighted gradients, G_i = w_i |g_i|, follow

        mean of G * (r_i / mean of r)^alpha,  r_i = L_i / (first L_i),

    the labels that have learnt least getting the largest. Chen et al., ICML 2018. After the sum is taken, each training step makes one
    gradient step on sum |G_i - target_i|, targets held fixed. It needs no second pass through the model, as G_i is linear in w_i:
    d|G_i - target_i| / dw_i = sign(G_i - target_i) |g_i|.

    Unlike theirs, the step is on log w_i and relative to the mean of G. On w_i itself it has length lr |g_i|: none for small losses,
    and one that throws the weight to and fro for large ones. With |g| = 100 and 1, lr = 0.025, G_1 / G_2 comes to rest between 0.96
    and 1.01, and between 0.1 and 127 with a step on w_i. A label that no row of a batch concerns takes no part.

    g_i is taken on the `shared` parameters, without embedding tables of sparse gradients. It costs a backward pass per label; the paper
    takes the last shared layer alone, and passing only that one's parameters is as cheap here.

    Args:
        alpha: >= 0, pull towards equal training rates; 0 = equal norms.
        lr: > 0, of log w.
        labels: names of the losses.

    Raises:
        ArgumentError: alpha or lr is out of range.
    """

    weight: Tensor
    first: Tensor

    def __init__(self, alpha: NonNegative, lr: Positive, *, labels: tuple[str, ...]):
        super().__init__(labels=labels)
        require_ranges(GradNorm, locals())
        self.alpha = alpha
        self.lr = lr
        self.register_buffer("weight", torch.ones(len(labels)))
        self.register_buffer("first", torch.zeros(len(labels)))  # 0 = not seen yet

    def forward(self, losses: dict[str, Tensor], shared: list[nn.Parameter]) -> Tensor:
        """Weighted sum; in training mode the weights move on after it. See `Balance.forward`."""
        ordered = [losses[label] for label in self.labels]
        weighted = self.weight.clone() * torch.stack(ordered)  # a clone: backward reads it after the weights have moved
        self.telemetry = self.shares(weighted)
        if self.training:
            gradients, _ = gradients_by_label(ordered, shared)
            products = scalar_products(gradients)
            self.telemetry |= self.cosines(products)
            self._step(mean_over_processes(torch.stack(ordered).detach()), products.diagonal().sqrt())
        return weighted.sum()

    @torch.no_grad()
    def _step(self, losses: Tensor, norms: Tensor) -> None:
        """Losses [T] and the norms [T] of their gradients, both unweighted."""
        seen = (losses > 0) & (norms > 0)
        self.first.copy_(torch.where(self.first == 0, losses, self.first))
        count = seen.sum().clamp(min=1)
        weighted = self.weight * norms  # [T], G
        mean = (weighted * seen).sum() / count
        progress = torch.where(seen, losses / self.first.clamp_min(TINY), 0.0)
        rate = progress / (progress.sum() / count).clamp_min(TINY)
        slope = (weighted - mean * rate**self.alpha).sign() * weighted / mean.clamp_min(TINY)
        log_weight = self.weight.log() - self.lr * torch.where(seen, slope, 0.0)
        self.weight.copy_(log_weight.softmax(0) * len(self.labels))
