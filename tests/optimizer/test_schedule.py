import pytest
import torch

from recsys.optimizer.schedule import constant, cosine


def rates(build, steps, **arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = build(**arguments, optimizer=optimizer, total_steps=steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_constant_warms_up_linearly():
    assert rates(constant, 5, warmup_steps=3) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])


def test_cosine_falls_from_the_full_rate_to_the_final_one():
    # 4 steps of half a cosine between 1 and 0.5: 1, 0.9268, 0.75, 0.5732 times 2
    assert rates(cosine, 5, warmup_steps=1, final=0.5) == pytest.approx([1.0, 2.0, 1.853553, 1.5, 1.146447])


def test_cosine_stays_at_the_final_rate_beyond_the_last_step():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = cosine(0, 0.25, optimizer=optimizer, total_steps=2)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5)
