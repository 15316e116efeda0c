"""What the training steps of all tasks share. Q rows of this process."""

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from recsys.seeds import seed_of


def seed_step(module: LightningModule, seed: int) -> None:
    """Make what a step draws from torch's generators, such as dropout, a function of seed, step and process.

    Call it when a batch begins: an interrupted run then draws what it would have drawn, and each process something else.
    """
    torch.manual_seed(seed_of("dropout", seed, module.trainer.fit_loop.total_batch_idx, module.global_rank))


def weight_share(trainer: Trainer, weight: Tensor) -> Tensor | float:
    """Weight of this process's loss so that DDP's mean of gradients equals the mean over all rows.

    Args:
        weight: [Q] weight of each row; 0 for those that only fill up a last batch.
    Returns:
        Scalar: the process's part of all weight, times the number of processes; 1 where there is one.
    """
    if trainer.world_size == 1:
        return 1.0
    own = weight.sum()
    # a process may hold fill-up rows alone, and then counts 0
    return own * trainer.world_size / trainer.strategy.reduce(own.clone(), reduce_op="sum").clamp(min=1e-30)
