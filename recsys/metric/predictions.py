"""Predictions of numbered rows, gathered over processes. B rows of a batch, N rows of all, H columns."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Predictions(Metric):
    """Keeps one vector per row; `compute` gives every process all of them, by row number. A row that comes twice counts once.

    Args:
        width: H.
        dtype: of the values.
    """

    full_state_update = False
    number: list[Tensor]
    values: list[Tensor]

    def __init__(self, width: int, *, dtype: torch.dtype = torch.float32):
        super().__init__()
        for state in ("number", "values"):
            self.add_state(state, [], dist_reduce_fx="cat")
        # a process that gets no row must still send tensors of the right rank, or the others wait for it for ever
        self.update(torch.empty(0, dtype=torch.int64), torch.empty(0, width, dtype=dtype))

    def update(self, number: Tensor, values: Tensor) -> None:
        """Keep [B, H] values of the rows [B] int64."""
        self.number.append(number.to(self.device))
        self.values.append(values.to(self.device))

    def compute(self) -> Tensor:
        """[N, H] on the CPU, N being the number of distinct rows."""
        number, values = (torch.cat(state).cpu() if isinstance(state, list) else state.cpu() for state in (self.number, self.values))
        first = torch.full((int(number.max()) + 1 if len(number) else 0,), -1, dtype=torch.int64)
        first[number] = torch.arange(len(number))
        return values[first[first >= 0]]
