"""Losses added up, without the parts of their gradients that work against each other. T labels, P numbers in the shared parameters."""

import torch
from torch import Tensor, nn

from recsys.balance.base import Balance
from recsys.balance.gradients import gradients_by_label, scalar_products
from recsys.ranges import Seed
from recsys.seeds import seed_of


class PCGrad(Balance):
    """sum of L_i, in training with a projected gradient on the shared parameters. Yu et al., NeurIPS 2020.

    Label i's gradient g_i goes past the other labels' in random order; where it has a negative product with g_j, what it has along g_j
    is taken out: g_i <- g_i - (g_i . g_j / |g_j|^2) g_j. The sum of what is left takes the place of the sum of gradients, the plain one.

    How a scalar loss carries that: sum of L_i + (c . p - value of c . p), where p are the shared parameters and c = projected - plain is
    a constant. The bracket is 0, its gradient on p is c; so p gets plain + c, and all other parameters get their plain gradients.

    Frozen parameters and embedding tables with sparse gradients are left out of all this, and keep their plain gradients. Costs a
    backward pass per label beside the usual one, and memory for T x P numbers.

    Args:
        seed: of the orders, which are a function of it and the number of calls in training.
        labels: names of the losses.
    """

    def __init__(self, seed: Seed, *, labels: tuple[str, ...]):
        super().__init__(labels=labels)
        self.seed = seed
        self.step = 0

    def get_extra_state(self) -> Tensor:
        """The number of calls in training. Extra state, not a buffer: reading that would wait for the device."""
        return torch.tensor(self.step)

    def set_extra_state(self, state: Tensor) -> None:
        """Takes the number of calls back."""
        self.step = int(state)

    def forward(self, losses: dict[str, Tensor], shared: list[nn.Parameter]) -> Tensor:
        """Sum with the projected gradient; see `Balance.forward`."""
        ordered = [losses[label] for label in self.labels]
        stacked = torch.stack(ordered)
        self.telemetry = self.shares(stacked)
        if not self.training:
            return stacked.sum()
        gradients, parameters = gradients_by_label(ordered, shared)
        products = scalar_products(gradients)
        self.telemetry |= self.cosines(products)
        kept = projection_counts(products, self._orders().to(products.device))
        change = ((kept - 1)[:, None] * gradients).sum(0)  # [P], projected - plain
        self.step += 1
        sizes = [parameter.numel() for parameter in parameters]
        parts = [(part * parameter.flatten()).sum() for part, parameter in zip(change.split(sizes), parameters, strict=True)]
        carrier = sum(parts, start=stacked.new_zeros(()))
        return stacked.sum() + (carrier - carrier.detach())

    def _orders(self) -> Tensor:
        """[T, T] int64, for each label an order of all labels."""
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.step))
        return torch.rand(len(self.labels), len(self.labels), generator=generator).argsort(1)


def projection_counts(products: Tensor, orders: Tensor) -> Tensor:
    """How often each label's gradient is in the projected sum.

    All projections stay within the span of the T gradients, so their products are all there is to know.

    Args:
        products: [T, T] scalar products of the gradients.
        orders: [T, T] int64, row i: the order in which gradient i meets the labels; it passes itself by.
    Returns:
        [T], 1 for each label if none conflicts with another.
    """
    every = torch.arange(len(products), device=products.device)
    identity = torch.eye(len(products), dtype=products.dtype, device=products.device)
    combination = identity  # row i: what gradient i is made of
    for other in orders.T:  # [T], whom each one meets
        product = (combination * products[other]).sum(1)  # [T]
        conflict = (product < 0) & (other != every)
        excess = torch.where(conflict, product / products[other, other], 0.0)
        combination = combination - excess[:, None] * identity[other]
    return combination.sum(0)
