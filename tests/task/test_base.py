"""What modules of all tasks share."""

from types import SimpleNamespace

import pytest
import torch

from recsys.task.base import seed_step


@pytest.mark.parametrize(("step", "rank", "same"), [(3, 0, True), (4, 0, False), (3, 1, False)])
def test_what_a_step_draws_is_its_own_and_its_process_own(step, rank, same):
    def drawn(step, rank):
        trainer = SimpleNamespace(fit_loop=SimpleNamespace(total_batch_idx=step))
        with torch.random.fork_rng(devices=[]):
            seed_step(SimpleNamespace(trainer=trainer, global_rank=rank), 7)
            return torch.rand(4).tolist()

    assert (drawn(step, rank) == drawn(3, 0)) == same
