"""torch.compile where it can run."""

import os
import shutil
from collections.abc import Callable

import torch

WITHOUT = "compiled is left out: torch.compile needs a C++ compiler, and there is none (CXX, or g++)."


def compiled_function(function: Callable) -> Callable | None:
    """The function compiled at its first call; None where there is no compiler."""
    return torch.compile(function, dynamic=False) if shutil.which(os.environ.get("CXX", "g++")) else None
