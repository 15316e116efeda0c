"""A finished run as its directory tells it; nothing else is read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml

from recsys.disk.records import numbers_by_name, read_record, reading, require_type
from recsys.errors import ConfigError, Fault, listed
from recsys.run.directory import CONFIG, LOGGED, RESULT

PARTS = {
    "retrieval": ("per_user.parquet", "item_vectors.parquet"),
    "ranking": ("predictions.parquet", "reliability.json"),
}
"""Files of one task alone."""
DATA = "data.json"
BOTH = ("schema.json", "lineage.json", DATA, "examples.json", "cost.json", LOGGED)


@dataclass(frozen=True)
class RunFiles:
    """A run directory whose run was tested.

    Attributes:
        path: the directory.
        task: what it was trained for.
        config: config.yaml, plain.
        metrics: metrics.json, flat; finite ones.
    """

    path: Path
    task: Literal["retrieval", "ranking"]
    config: Mapping[str, Any]
    metrics: Mapping[str, float]

    @staticmethod
    def open(path: Path) -> "RunFiles":
        """Read what describes the run; the rest is read when asked for.

        Raises:
            ConfigError: there is no run, it did not finish, or it is of a version that did not write what a report needs.
            IntegrityError: a file is damaged.
        """
        if not (path / CONFIG).is_file():
            raise ConfigError(Fault("there is no run here: it has no config.yaml", str(path), "name the directory that train.py printed"))
        if not (path / RESULT).is_file():
            raise ConfigError(Fault("the run did not finish: it has no metrics.json", str(path), "train it to its end, or name another"))
        with reading(path / CONFIG):
            config = _yaml(path / CONFIG)
            task = "ranking" if config["task"]["_target_"].endswith(".Ranking") else "retrieval"
        missing = [name for name in (*BOTH, *PARTS[task]) if not (path / name).is_file()]
        if missing:
            what = f"an older version trained this run: it has no {listed(missing, 9)}"
            raise ConfigError(Fault(what, str(path), "train again with this version; the metrics alone are in metrics.json"))
        numbers = read_record(path / RESULT, lambda document: numbers_by_name(document, "metric"))
        metrics = {name: value for name, value in numbers.items() if value is not None}
        return RunFiles(path, task, config, metrics)

    @property
    def model(self) -> str:
        """What the model is called."""
        return self.config["model"]["_target_"].split(".")[-2]

    @cached_property
    def data(self) -> dict[str, Any]:
        """data.json: counts, dates and hashes of the data."""
        return self._document(DATA)

    @cached_property
    def examples(self) -> dict[str, Any]:
        """examples.json: sample users, or worst mistakes."""
        return self._document("examples.json")

    @cached_property
    def cost(self) -> dict[str, Any]:
        """cost.json: seconds, rows, memory, energy."""
        return self._document("cost.json")

    @cached_property
    def lineage(self) -> dict[str, Any]:
        """lineage.json: code, machine, command."""
        return self._document("lineage.json")

    @cached_property
    def reliability(self) -> dict[str, Any]:
        """reliability.json: {binary label or funnel: its curve}."""
        return self._document("reliability.json")

    @cached_property
    def logged(self) -> list[dict[str, Any]]:
        """metrics.jsonl: logged values with their step, in the order they were logged."""
        with reading(self.path / LOGGED):
            return [require_type(json.loads(line), dict, "a line") for line in (self.path / LOGGED).read_text().splitlines()]

    @cached_property
    def test(self) -> dict[str, Any]:
        """What data.json says of the test: its user column, rows, items, and the hash of what was asked."""
        with reading(self.path / DATA):
            test = require_type(self.data["test"], dict, "'test'")
            kinds = {"user": (str, type(None)), "rows": int, "items": int, "sha256": str}
            return {key: require_type(test[key], kind, f"'{key}' of 'test'") for key, kind in kinds.items()}

    def table(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A parquet file of the run; of its columns these, or all."""
        with reading(self.path / name):
            try:
                return pl.read_parquet(self.path / name, columns=columns)
            except pl.exceptions.PolarsError as error:
                raise ValueError(str(error)) from error

    def _document(self, name: str) -> dict[str, Any]:
        return read_record(self.path / name, lambda document: require_type(document, dict, "it"))


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return require_type(yaml.safe_load(path.read_text()), dict, "it")
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
