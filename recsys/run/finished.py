"""The model of a run: new, as its config says, or as a finished run left it."""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import nn

from recsys.calibration.base import Calibration
from recsys.config import TrainConfig, build, schema_of
from recsys.config.check import load_config
from recsys.config.target import component_name
from recsys.data.store import Store
from recsys.disk.records import numbers_by_name, read_record, reading, require_type
from recsys.errors import ConfigError, Fault, IntegrityError, listed
from recsys.run.checkpoint import load_checkpoint
from recsys.run.directory import CHECKPOINTS, CONFIG, RESULT, TESTED
from recsys.run.lineage import LINEAGE
from recsys.schema import Schema

CALIBRATION, RELIABILITY = "calibration.json", "reliability.json"
"""Files of a ranking run: what was fitted, by label, and the reliability curve of every binary label, and of funnels of them, at test."""
DTYPES = ("string", "int64", "float32", "bool")
LARGEST_TABLE = 2**31
"""Rows of an embedding table."""


@dataclass(frozen=True)
class FinishedRun:
    """A run directory whose run has been trained and tested.

    Attributes:
        path: the directory.
        config: what it was trained with.
        schema: fitted.
    """

    path: Path
    config: TrainConfig
    schema: Schema

    @staticmethod
    def open(path: Path) -> "FinishedRun":
        """Read what describes the run; weights and data are read when asked for.

        Raises:
            ConfigError: the directory holds no run, or one that was stopped, whose missing files are named.
            IntegrityError: schema.json is not that of its config.
        """
        config = load_config(path / CONFIG, TrainConfig)
        missing = [name for name in ("schema.json", LINEAGE, TESTED, RESULT) if not (path / name).exists()]
        if missing:
            raise ConfigError(
                Fault(f"the run did not finish: it has no {', '.join(missing)}", str(path), "train again, or name another run")
            )
        return FinishedRun(path, config, read_record(path / "schema.json", lambda document: _schema(path, document, config)))

    @property
    def task(self) -> str:
        """Its task by name."""
        return component_name(self.config.task)

    @cached_property
    def lineage(self) -> dict:
        """What the run wrote of its code, packages, machine and data when it began; see `recsys.run.lineage.write_lineage`."""
        return read_record(self.path / LINEAGE, lambda document: require_type(document, dict, "it"))

    @cached_property
    def store(self) -> Store:
        """The prepared data that it was trained on; see `Store.open`."""
        place = read_record(self.path / LINEAGE, lambda document: Path(require_type(document["store"], str, "'store'")))
        with reading(place, "delete this folder and prepare again: run train.py with the same data"):
            return Store.open(place)

    def model(self, checkpoint: Literal["best", "last"] = "best") -> tuple[nn.Module, dict]:
        """The trained model in evaluation mode, on the CPU, and what its checkpoint says; see `load_checkpoint`.

        Raises:
            IntegrityError: `best` names other weights than those that the run was tested with.
        """
        model, place = build(self.config.task).model(self.config, self.schema), self.path / CHECKPOINTS / checkpoint
        about = load_checkpoint(model, place)
        if checkpoint == "best" and not self._tested(about):
            what = f"the weights are not those that were tested: their sha256 is {about['sha256']}, {TESTED} says {self._tested_sha256}"
            remedy = f"let it name step-*-{self._tested_sha256[:8]} again, or train again: metrics and calibrations are of those weights"
            raise IntegrityError(Fault(what, str(place), remedy))
        return model.eval(), about

    def metrics(self, about: dict) -> dict[str, float | None]:
        """Metrics of the weights of a checkpoint: the final ones of the tested weights, of others those of validation.

        None where one is not finite.

        Args:
            about: as from `model`.
        """
        if self._tested(about):
            return read_record(self.path / RESULT, lambda document: numbers_by_name(document, "metric"))
        return numbers_by_name(about["metrics"], "metric")

    def reliability(self, about: dict) -> dict[str, dict]:
        """{binary label or funnel: its reliability curve at test, as `recsys.metric.reliability` describes it}.

        Empty for weights that were not tested, for a retrieval run, and for a run of before these were written.

        Args:
            about: as from `model`.
        """
        path = self.path / RELIABILITY
        return read_record(path, lambda document: require_type(document, dict, "it")) if self._tested(about) and path.exists() else {}

    def _tested(self, about: dict) -> bool:
        """Whether these are the weights that the run was tested with."""
        return about["sha256"] == self._tested_sha256

    @cached_property
    def _tested_sha256(self) -> str:
        return read_record(self.path / TESTED, _sha256)

    def calibrations(self, about: dict) -> dict[str, Calibration]:
        """{binary label: its calibration} as the test of a ranking run has fitted and written them.

        Args:
            about: of the weights that they are to calibrate, as from `model`.
        Raises:
            ConfigError: the run has none, or none of these weights.
        """
        path = self.path / CALIBRATION
        if not self._tested(about):
            what = f"these weights (step {about['step']}) have no calibrations: those of the run were fitted to its best weights"
            raise ConfigError(Fault(what, str(self.path), "export the best weights, with checkpoint=best or without checkpoint="))
        if not path.exists():
            raise ConfigError(Fault(f"the run has no {path.name}", str(self.path), "train again to the end, or name another run"))
        return read_record(path, self._calibrations)

    def _calibrations(self, document: Any) -> dict[str, Calibration]:
        binary = [label.column for label in self.schema.labels if label.kind == "binary"]
        if sorted(require_type(document, dict, "it")) != sorted(binary):
            raise ValueError(f"it has {listed(list(document))}, the run's binary labels are {listed(binary)}")
        calibrations = {}
        for label, state in document.items():
            calibrations[label] = build(self.config.task["calibration"])()
            lengths = {len(value) for value in state.values() if isinstance(value, list)}
            calibrations[label].load(state)
            if len(lengths) > 1 or not all(values.isfinite().all() for values in calibrations[label].buffers()):
                raise ValueError(f"that of '{label}' is no curve")
        return calibrations


def _sha256(document: Any) -> str:
    sha256 = require_type(document["sha256"], str, "'sha256'")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError("'sha256' is none")
    return sha256


def _schema(path: Path, document: Any, config: TrainConfig) -> Schema:
    """The run's schema, which is that of its config with what training rows say of each column."""
    schema = Schema.load(path / "schema.json")
    if schema.fitted({}) != schema_of(config.data):
        raise ValueError("its columns are not those of config.yaml")
    for column, values in schema.statistics.items():
        whole, numbers = require_type(values.size, int, f"size of '{column}'"), (values.mean, values.std, *values.boundaries)
        finite = all(math.isfinite(require_type(number, (int, float), f"number of '{column}'")) for number in numbers)
        known = values.dtype in DTYPES and re.fullmatch("([0-9a-f]{64})?", values.vocabulary_sha256)
        if not (finite and known and 0 <= whole <= LARGEST_TABLE):
            raise ValueError(f"statistics of '{column}' are none")
    return schema
