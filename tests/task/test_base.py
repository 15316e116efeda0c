"""What modules of all tasks share."""

from types import SimpleNamespace

import pytest
import torch

from recsys import compose
from recsys.config import build
from recsys.errors import ConfigError
from recsys.task.base import seed_step


@pytest.mark.parametrize(("step", "rank", "same"), [(3, 0, True), (4, 0, False), (3, 1, False)])
def test_what_a_step_draws_is_its_own_and_its_process_own(step, rank, same):
    def drawn(step, rank):
        trainer = SimpleNamespace(fit_loop=SimpleNamespace(total_batch_idx=step))
        with torch.random.fork_rng(devices=[]):
            seed_step(SimpleNamespace(trainer=trainer, global_rank=rank), 7)
            return torch.rand(4).tolist()

    assert (drawn(step, rank) == drawn(3, 0)) == same


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        (["task=ranking"], []),
        (["task=ranking", "monitor=val/click/auc"], ["checkpoint.mode=max", "callbacks.early_stopping.mode=max"]),
        (["task=ranking", "monitor=val/click/auc", "checkpoint.mode=max", "~callbacks.early_stopping"], []),
        (["checkpoint.mode=min"], ["checkpoint.mode=max"]),
        (["task=ranking", "checkpoint.mode=max"], ["checkpoint.mode=min"]),
        (["monitor=val/users"], []),  # neither more nor less of it is better
    ],
)
def test_a_monitor_is_followed_into_the_direction_that_its_declaration_names(words, faults):
    config = compose(*words)
    task = build(config.task)
    if not faults:
        task.check(config)
        return
    with pytest.raises(ConfigError) as refused:
        task.check(config)
    assert [fault.remedy for fault in refused.value.faults] == [f"add {key}" for key in faults]
