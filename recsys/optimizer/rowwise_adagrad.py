"""Adagrad with one accumulator per row, for embedding tables with sparse gradients. V rows, D dim."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from recsys.ranges import Positive, require_ranges


class RowwiseAdagrad(Optimizer):
    """Updates only the rows that a step touched, with one squared-gradient sum per row.

    state[v] += mean_d(g[v, d]^2);  w[v] -= lr * g[v] / (sqrt(state[v]) + eps)

    The state of a [V, D] table is [V] float32, 1/(2 D) of Adam's, and a step costs the touched rows instead of the table.
    Source: exact row-wise Adagrad of FBGEMM (Khudia et al., 2021).

    Args:
        params: parameters of shape [V, D] whose gradients are sparse.
        lr: learning rate, > 0.
        eps: added to the root, > 0.
    """

    def __init__(self, params: Iterable[Tensor], lr: Positive = 0.05, *, eps: Positive = 1e-8):
        require_ranges(RowwiseAdagrad, locals())
        super().__init__(params, {"lr": lr, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        """Update once; returns the loss of `closure` (a function without arguments), if one is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._update(table, table.grad, lr=group["lr"], eps=group["eps"])
        return loss

    def _update(self, table: Tensor, gradient: Tensor, *, lr: float, eps: float) -> None:
        if not gradient.is_sparse:
            raise ValueError("row-wise Adagrad needs sparse gradients, got a dense one; lower model.sparse_from or use another optimizer")
        state = self.state[table]
        if not state:
            state["sum"] = torch.zeros(len(table), device=table.device)
        gradient = gradient.coalesce()
        rows, values = gradient.indices()[0], gradient.values().float()  # [R], [R, D]
        state["sum"].index_add_(0, rows, values.square().mean(1))
        rate = lr / (state["sum"][rows].sqrt() + eps)
        table.index_add_(0, rows, (values * -rate[:, None]).to(table.dtype))
