"""What a training step draws from torch's global generators, such as dropout, as a function of seed, step and process."""

import torch
from pytorch_lightning import LightningModule

from recsys.seeds import seed_of


def seed_step(module: LightningModule, seed: int) -> None:
    """Call it when a batch begins: an interrupted run then draws what it would have drawn, and each process something else."""
    torch.manual_seed(seed_of("dropout", seed, module.trainer.fit_loop.total_batch_idx, module.global_rank))
