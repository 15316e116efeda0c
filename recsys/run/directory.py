"""A run directory: the names of its files, which no other module writes, and their content, read as if a stranger had written it."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from recsys.config import CONFIG as CONFIG
from recsys.config import TrainConfig, build, schema_of
from recsys.config.check import EVERYTHING, check_config
from recsys.config.files import saved_config
from recsys.config.target import component_name
from recsys.disk import write_whole
from recsys.disk.records import numbers_by_name, read_record, reading, require_shape, require_type
from recsys.errors import ConfigError, Fault, IntegrityError, name_list
from recsys.run.documents import COST_SHAPE, DATA_SHAPE, LOGGED_SHAPE
from recsys.schema import Schema

if TYPE_CHECKING:  # who reads no weights and no store is spared seconds of imports
    from torch import nn

    from recsys.data.store import Store

SCHEMA, LINEAGE = "schema.json", "lineage.json"
"""Columns, labels and what training rows say of them; code, packages, machine, command and data that the run comes from."""
LOGGED, LOG, CHECKPOINTS = "metrics.jsonl", "train.log", "checkpoints"
"""Every logged value, one line a step; every message; the folder of weights and of the state of training."""
TESTED, RESULT = "tested.json", "metrics.json"
"""Hash of the weights that were tested; their final metrics, written last: a run that has them is finished."""
DATA, EXAMPLES, COST = "data.json", "examples.json", "cost.json"
"""Counts, dates and hashes of the data; sample users or worst mistakes; seconds, rows, memory, energy."""
PER_USER, ITEM_VECTORS = "per_user.parquet", "item_vectors.parquet"
"""Files of a retrieval run: metrics of every test user; a sample of items."""
PREDICTIONS, CALIBRATION, RELIABILITY = "predictions.parquet", "calibration.json", "reliability.json"
"""Files of a ranking run: predictions of every test row; by label the fitted calibration, and the reliability curve at test."""
ABOUT = "checkpoint.json"
"""File of a checkpoint: step, epoch, metrics of validation, hashes."""
REPORT, BUNDLE = "report.html", "bundle"
"""The report; the link to what export.py has published."""
REPORTED = (DATA, EXAMPLES, COST, LOGGED)
"""Files that a report of any task reads."""
DTYPES = ("string", "int64", "float32", "bool")
LARGEST_TABLE = 2**31
"""Rows of an embedding table."""


@dataclass(frozen=True)
class RunDirectory:
    """A run's directory, begun by this version of the package, and its config.yaml (`plain`); other files are read when they are used."""

    path: Path
    plain: Mapping[str, Any]

    @staticmethod
    def open(path: Path) -> "RunDirectory":
        """Read config.yaml; a ConfigError where there is no run, it cannot be read, or another version of this package wrote it."""
        return RunDirectory(path, saved_config(path / CONFIG))

    @staticmethod
    def finished(path: Path, *files: str) -> "RunDirectory":
        """Read config.yaml of a run that was trained and tested, and has these files too; a ConfigError names all that are missing."""
        run = RunDirectory.open(path)
        if missing := run._missing((SCHEMA, LINEAGE, TESTED, RESULT)):
            what = f"the run did not finish: it has no {', '.join(missing)}"
            raise ConfigError(Fault(what, str(path), "train it to its end, or name another run"))
        if missing := run._missing(files):
            what = f"an older version trained this run: it has no {name_list(missing, 9)}"
            raise ConfigError(Fault(what, str(path), "train again with this version; the metrics alone are in metrics.json"))
        return run

    def _missing(self, files: Sequence[str]) -> list[str]:
        return [name for name in files if not (self.path / name).exists()]

    @cached_property
    def config(self) -> TrainConfig:
        """The config, checked against today's code; a ConfigError names every key that does not fit."""
        return check_config(self.plain, TrainConfig, origin={EVERYTHING: str(self.path / CONFIG)})

    @property
    def task(self) -> str:
        """Name of the task, such as retrieval."""
        return self._component("task")

    @property
    def model_name(self) -> str:
        """Name of the model, such as two_tower."""
        return self._component("model")

    def _component(self, key: str) -> str:
        with reading(self.path / CONFIG):
            return component_name(self.plain[key])

    @cached_property
    def schema(self) -> Schema:
        """The fitted schema: that of the config, with what training rows say of each column."""
        own = schema_of(self.config.data)
        return read_record(self.path / SCHEMA, lambda document: _checked_schema(Schema.of_document(document), own))

    @cached_property
    def lineage(self) -> dict[str, Any]:
        """Code, packages, machine, command and data of the run; see `recsys.run.lineage.write_lineage`."""
        return self._document(LINEAGE)

    @property
    def store_path(self) -> Path:
        """Folder of the prepared data that the run was trained on."""
        with reading(self.path / LINEAGE):
            return Path(require_type(self.lineage["store"], str, "'store'"))

    @property
    def other_runs(self) -> dict[str, str]:
        """{key of the config that names another run: sha256 of the best weights of that run}."""
        with reading(self.path / LINEAGE):
            runs = require_type(self.lineage.get("runs", {}), dict, "'runs'")
            return {key: require_type(value, str, f"'{key}'") for key, value in runs.items()}

    @cached_property
    def store(self) -> "Store":
        """The prepared data that the run was trained on; see `Store.open`."""
        from recsys.data.store import Store

        return Store.open(self.store_path)

    def model(self, checkpoint: Literal["best", "last"] = "best") -> "tuple[nn.Module, dict[str, Any]]":
        """The trained model, evaluating, on the CPU, and its checkpoint.json; an IntegrityError where `best` is not what was tested."""
        from recsys.run.checkpoint import load_checkpoint

        model, place = build(self.config.task).model(self.config, self.schema), self.path / CHECKPOINTS / checkpoint
        about = load_checkpoint(model, place)
        if checkpoint == "best" and not self.is_tested(about):
            what = f"the weights are not those that were tested: their sha256 is {about['sha256']}, {TESTED} says {self._tested_sha256}"
            remedy = f"let it name step-*-{self._tested_sha256[:8]} again, or train again: metrics and calibrations are of those weights"
            raise IntegrityError(Fault(what, str(place), remedy))
        return model.eval(), about

    def is_tested(self, about: Mapping[str, Any]) -> bool:
        """Whether a checkpoint, as `model` describes it, holds the weights that the run was tested with."""
        return about["sha256"] == self._tested_sha256

    @cached_property
    def _tested_sha256(self) -> str:
        with reading(self.path / TESTED):
            sha256 = require_type(self._document(TESTED)["sha256"], str, "'sha256'")
            if not re.fullmatch("[0-9a-f]{64}", sha256):
                raise ValueError("'sha256' is not a hash of 64 hexadecimal digits")
            return sha256

    @cached_property
    def result(self) -> dict[str, float | None]:
        """Final metrics under their flat names; None where one is not finite."""
        return read_record(self.path / RESULT, lambda document: numbers_by_name(document, "metric"))

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Final metrics under their flat names, without those that are not finite."""
        return {name: value for name, value in self.result.items() if value is not None}

    def metrics_of(self, about: Mapping[str, Any]) -> dict[str, float | None]:
        """Metrics of a checkpoint's weights: final ones of tested weights, else those of their validation; None where one is not finite."""
        return self.result if self.is_tested(about) else numbers_by_name(about["metrics"], "metric")

    @cached_property
    def reliability(self) -> dict[str, Any]:
        """{binary label or funnel: its reliability curve at test, as `recsys.metric.reliability` describes it}; empty for other tasks."""
        return self._document(RELIABILITY) if (self.path / RELIABILITY).exists() else {}

    @cached_property
    def data(self) -> dict[str, Any]:
        """Counts, dates and hashes of the data."""
        return read_record(self.path / DATA, lambda document: require_shape(document, DATA_SHAPE, "data"))

    @cached_property
    def examples(self) -> dict[str, Any]:
        """Sample users, or worst mistakes."""
        return self._document(EXAMPLES)

    @cached_property
    def cost(self) -> dict[str, Any]:
        """Seconds, rows, memory, energy."""
        return read_record(self.path / COST, lambda document: require_shape(document, COST_SHAPE, "cost"))

    @cached_property
    def logged(self) -> list[dict[str, Any]]:
        """Logged values with their step, in the order they were logged."""
        with reading(self.path / LOGGED):
            lines = (self.path / LOGGED).read_text().splitlines()
            return [require_shape(json.loads(line), LOGGED_SHAPE, f"line {number}") for number, line in enumerate(lines, 1)]

    @property
    def test(self) -> dict[str, Any]:
        """The test in data.json: its user column, rows, items, and the hash of its questions."""
        return self.data["test"]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A parquet file of the run; of its columns these, or all."""
        with reading(self.path / name):
            try:
                return pl.read_parquet(self.path / name, columns=None if columns is None else list(columns))
            except pl.exceptions.PolarsError as error:
                raise ValueError(str(error)) from error

    def _document(self, name: str) -> dict[str, Any]:
        return read_record(self.path / name, lambda document: require_type(document, dict, "its content"))


def write_tested(run: Path, sha256: str) -> None:
    """Write tested.json with the hash of the weights that were tested; before metrics.json, so that a finished run has both."""
    write_whole(run / TESTED, json.dumps({"sha256": sha256}) + "\n")


def _checked_schema(schema: Schema, own: Schema) -> Schema:
    """The schema of a run, whose columns are those of its config and whose statistics are possible."""
    if schema.fitted({}) != own:
        raise ValueError("its columns are not those of config.yaml")
    for column, values in schema.statistics.items():
        size, numbers = require_type(values.size, int, f"size of '{column}'"), (values.mean, values.std, *values.boundaries)
        finite = all(math.isfinite(require_type(number, (int, float), f"number of '{column}'")) for number in numbers)
        valid = values.dtype in DTYPES and re.fullmatch("([0-9a-f]{64})?", values.vocabulary_sha256)
        if not (finite and valid and 0 <= size <= LARGEST_TABLE):
            raise ValueError(f"the statistics of '{column}' are impossible")
    return schema
