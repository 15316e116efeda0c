import pytest

from recsys.errors import NumericsError
from recsys.run.finite_loss import FiniteLoss

NAN, INF = float("nan"), float("inf")


def test_finite_losses_pass(fit):
    fit(FiniteLoss(every_n_steps=1), steps=5)


@pytest.mark.parametrize("broken", [NAN, INF])
def test_first_broken_step_is_named_at_the_next_look(fit, broken):
    with pytest.raises(NumericsError, match="not finite since step 3"):
        fit(FiniteLoss(every_n_steps=4), losses=[1.0, 1.0, broken, 1.0], steps=10)


def test_evaluation_looks_too(fit):
    with pytest.raises(NumericsError, match="not finite since step 2"):
        fit(FiniteLoss(every_n_steps=100), losses=[1.0, NAN], steps=2)


def test_every_n_steps_below_1_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        FiniteLoss(every_n_steps=0)
