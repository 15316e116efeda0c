"""Files of a run directory: their names, written once."""

import json
from pathlib import Path

from recsys.config import CONFIG
from recsys.disk import write_whole

LOGGED = "metrics.jsonl"
"""Every logged value, one line a step."""
CHECKPOINTS = "checkpoints"
"""Folder of weights and of the state of training."""
RESULT = "metrics.json"
"""Final metrics; a run that has it is finished."""
TESTED = "tested.json"
"""Hash of the weights that were tested: calibration.json, reliability.json and metrics.json are of these."""

__all__ = ["CHECKPOINTS", "CONFIG", "LOGGED", "RESULT", "TESTED", "write_tested"]


def write_tested(run: Path, sha256: str) -> None:
    """Write tested.json, whole or not at all; before metrics.json, which ends a run, so that a finished run has both.

    Args:
        sha256: of the weights' file, as their checkpoint.json says.
    """
    write_whole(run / TESTED, json.dumps({"sha256": sha256}) + "\n")
