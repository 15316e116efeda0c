"""The causal transformer as one writes it first: padded windows, torch's own layers, every logit at once, float32. B rows, L positions."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.data.read.rows import Rows
from recsys.schema import PAD

WARM_UP = 2
"""Steps before the clock starts."""


class PlainTransformer(nn.Module):
    """Two pre-norm blocks over item embeddings and learned positions; the item table also scores.

    Args:
        num_items: rows of the table, row 0 pads.
        length: positions at most.
        dim: of tokens; a block's inner layer has twice as much.
    """

    def __init__(self, num_items: int, length: int, dim: int):
        super().__init__()
        self.items = nn.Embedding(num_items, dim, padding_idx=PAD)
        self.positions = nn.Parameter(torch.randn(length, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(dim, 1, 2 * dim, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(dim), enable_nested_tensor=False)

    def forward(self, windows: Tensor) -> Tensor:
        """[B, L] items, right padded -> mean cross-entropy of each item given those before it."""
        tokens = self.items(F.pad(windows, (1, -1))) + self.positions[: windows.shape[1]]
        causal = nn.Transformer.generate_square_subsequent_mask(windows.shape[1])
        states = self.encoder(tokens, mask=causal, is_causal=True)[windows != PAD]  # [targets, D]
        return F.cross_entropy(states @ self.items.weight.T, windows[windows != PAD])


def plain_rate(rows: Rows, num_items: int, length: int, *, dim: int, batch_size: int, steps: int) -> float:
    """Targets per second that the plain loop trains on the CPU, over some steps of random windows."""
    model = PlainTransformer(num_items, length, dim)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    targets, started = 0, 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            targets, started = 0, time.perf_counter()
        windows = rows.batch(torch.randint(len(rows), (batch_size,))).item
        optimizer.zero_grad()
        model(windows).backward()
        optimizer.step()
        targets += int((windows != PAD).sum())
    return targets / (time.perf_counter() - started)
