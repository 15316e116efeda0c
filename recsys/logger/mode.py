"""Whether Weights & Biases is told online, offline or not at all."""

import os

VARIABLE = "WANDB_MODE"
DISABLED = "disabled"
MODES = ("online", "offline", DISABLED)


def mode_now(said: str) -> str:
    """What WANDB_MODE in the environment says, or else `said`."""
    named = os.environ.get(VARIABLE)
    return named if named in MODES else said
