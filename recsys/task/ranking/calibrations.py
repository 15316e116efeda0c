"""Calibrations of a finished ranking run, as its test has fitted and written them."""

from collections.abc import Mapping
from typing import Any

from recsys.calibration.base import Calibration
from recsys.config import build
from recsys.disk.records import read_record, require_type
from recsys.errors import ConfigError, Fault, listed
from recsys.run.directory import CALIBRATION, RunDirectory


def saved_calibrations(run: RunDirectory, about: Mapping[str, Any]) -> dict[str, Calibration]:
    """{binary label: its calibration}.

    Args:
        about: of the weights that they are to calibrate, as from `RunDirectory.model`.
    Raises:
        ConfigError: the run has no calibrations, or none of these weights.
    """
    path = run.path / CALIBRATION
    if not run.is_tested(about):
        what = f"these weights (step {about['step']}) have no calibrations: those of the run were fitted to its best weights"
        raise ConfigError(Fault(what, str(run.path), "export the best weights, with checkpoint=best or without checkpoint="))
    if not path.exists():
        raise ConfigError(Fault(f"the run has no {path.name}", str(run.path), "train again to the end, or name another run"))
    return read_record(path, lambda document: _calibrations(run, document))


def _calibrations(run: RunDirectory, document: Any) -> dict[str, Calibration]:
    binary = [label.column for label in run.schema.labels if label.kind == "binary"]
    if sorted(require_type(document, dict, "its content")) != sorted(binary):
        raise ValueError(f"it has {listed(list(document))}, the run's binary labels are {listed(binary)}")
    calibrations = {}
    for label, state in document.items():
        calibrations[label] = build(run.config.task["calibration"])()
        lengths = {len(value) for value in state.values() if isinstance(value, list)}
        calibrations[label].load(state)
        if len(lengths) > 1 or not all(values.isfinite().all() for values in calibrations[label].buffers()):
            raise ValueError(f"the calibration of '{label}' is not a curve of finite numbers")
    return calibrations
