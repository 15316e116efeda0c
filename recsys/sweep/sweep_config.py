"""The config of a sweep: `hydra.sweeper` of conf/sweep/<name>.yaml, with the rules that its values keep."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recsys.config.check import Check, check_config
from recsys.config.overrides import MOST_VALUES, value_text
from recsys.errors import ConfigError, Fault
from recsys.ranges import Count, Seed
from recsys.schema import nearest

MEASURES = ("bundle/size_mb", "bundle/p50_ms", "bundle/p99_ms")
"""Objectives that are measured on the exported run: size of its files, and time of one request to its slower part."""
LARGEST_GRID = 100_000


@dataclass(frozen=True)
class SweepConfig:
    """One sweep, which `recsys.sweep.sweeper.OptunaSweeper` carries out; conf/hydra/sweeper/optuna.yaml explains each key.

    Attributes:
        objectives: {validation metric of metrics.json, or one of `MEASURES`: whether more or less of it is better}.
        space: {key, or group of conf: a list of its values, or the keys of `Range`}.
    """

    objectives: dict[str, Literal["max", "min"]]
    space: dict[str, Any]
    sampler: Literal["tpe", "random", "grid"]
    trials: Count | None
    pruner: Literal["median", "halving", "hyperband"] | None = None
    seed: Seed = 0


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included, `step` apart; whole ones if all are written so; `log` spreads them by logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_integer(self) -> bool:
        """Whether its values are whole numbers."""
        return type(self.low) is int and type(self.high) is int and type(self.step) in (int, type(None))

    @property
    def distance(self) -> float | None:
        """Distance of one value from the next; None where there are values without end."""
        return self.step or (1 if self.is_integer and not self.log else None)

    @property
    def count(self) -> int | None:
        """Number of values; None where there is no end of them."""
        # 1e-9: a step of 0.1 reaches 0.3 from 0
        return None if self.distance is None else math.floor((self.high - self.low) / self.distance + 1e-9) + 1

    def values(self) -> list[float]:
        """All values; none where there is no end of them."""
        return [self.low + place * (self.distance or 0) for place in range(self.count or 0)]


Dimension = list | Range


def dimensions(space: Mapping[str, Any]) -> dict[str, Dimension]:
    """The space with its ranges typed; it has passed `sweep_faults`."""
    return {key: Range(**entry) if isinstance(entry, dict) else entry for key, entry in space.items()}


def varied_space(space: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """The part of a space that a command line does not set."""
    fixed = {text.partition("=")[0].lstrip("+~") for text in overrides}
    return {key: entry for key, entry in space.items() if key not in fixed}


def extremes(dimension: Dimension) -> list:
    """Values of a list, or both ends of a range."""
    return dimension if isinstance(dimension, list) else [dimension.low, dimension.high]


def sweep_faults(node: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """Faults of `hydra.sweeper`, without its `_target_`, that can be seen without its runs; origin is {key: file and line}."""
    place = Check(origin).where
    try:
        check_config(node, SweepConfig, origin=origin)
    except ConfigError as error:
        yield from error.faults
        return
    yield from _objective_faults(node, place)
    faults = [fault for key, entry in node["space"].items() for fault in _dimension_faults(key, entry, place(f"space.{key}"))]
    if not node["space"]:
        faults = [Fault("nothing varies between the trials", place("space"), "give space a key and its values")]
    yield from faults or _size_faults(node, place)


def _objective_faults(node: dict, place: Callable[[str], str]) -> Iterator[Fault]:
    where = place("objectives")
    if not node["objectives"]:
        yield Fault("a sweep without an objective", where, "name one, such as val/recall@20: max")
    for key in node["objectives"]:
        if "test/" in key:
            yield Fault(f"'{key}' is a test metric: test is looked at once, and chooses nothing", where, "use the same metric of val/")
        elif not key.startswith("val/") and key not in MEASURES:
            what = f"'{key}' is no objective{nearest(key, MEASURES)}"
            yield Fault(what, where, f"use a validation metric (val/...), or one of {', '.join(MEASURES)}")
    if node.get("pruner") and (len(node["objectives"]) > 1 or not all(key.startswith("val/") for key in node["objectives"])):
        remedy = "set pruner to null, or keep one objective of val/"
        yield Fault("only a sweep with one validation metric as its objective can stop trials early", place("pruner"), remedy)


def _dimension_faults(key: str, entry: Any, where: str) -> Iterator[Fault]:
    if key.lstrip("+~").startswith("hydra"):
        yield Fault(f"a sweep may not change '{key}'", where, "remove it: a config cannot run arbitrary code")
    elif isinstance(entry, dict):
        yield from _range_faults(key, entry, where)
    elif not isinstance(entry, list) or not entry:
        yield Fault(f"'{key}' has no values", where, "give a list of them, or {low: ..., high: ...}")
    elif len(entry) > MOST_VALUES:
        yield Fault(f"'{key}' has {len(entry):,} values", where, f"each is checked before the first trial: give at most {MOST_VALUES:,}")
    elif any("${" in str(value) or isinstance(value, dict) for value in entry):
        yield Fault(f"'{key}' has a value that is neither a number, a text nor a list", where, "write plain values")
    elif len({value_text(value) for value in entry}) < len(entry):
        yield Fault(f"'{key}' has the same value twice", where, "keep one of them")


def _range_faults(key: str, entry: dict, where: str) -> Iterator[Fault]:
    try:
        span = check_config(entry, Range, origin={"": where})
    except ConfigError as error:
        yield from error.faults
        return
    if not (math.isfinite(span.low) and math.isfinite(span.high) and span.low < span.high):
        yield Fault(f"'{key}' goes from {span.low} to {span.high}", where, "low has to be below high")
    elif span.log and span.low <= 0:
        yield Fault(f"'{key}' starts at {span.low}, which has no logarithm", where, "give low a value above 0, or remove log")
    elif span.step is not None and (span.log or not 0 < span.step <= span.high - span.low):
        yield Fault(f"'{key}' has a step of {span.step}", where, "a step is above 0, fits between low and high, and goes without log")


def _size_faults(node: dict, place: Callable[[str], str]) -> Iterator[Fault]:
    where, trials, space = place("trials"), node["trials"], dimensions(node["space"])
    size = grid_size(space)
    if node["sampler"] == "grid" and size is None:
        endless = [key for key, dimension in space.items() if _count(dimension) is None]
        remedy = "give them a step or a list of values, or use sampler tpe or random"
        yield Fault(f"a grid has no end over {', '.join(endless)}", place("space"), remedy)
    elif node["sampler"] == "grid" and size is not None and size > LARGEST_GRID:
        yield Fault(f"a grid of {size:,} points", place("space"), f"keep it below {LARGEST_GRID:,}, or use sampler tpe or random")
    elif trials is None and node["sampler"] != "grid":
        yield Fault(f"sampler {node['sampler']} would never end", where, "say how many trials")
    elif trials is not None and node["sampler"] == "grid" and size is not None and trials > size:
        yield Fault(f"{trials} trials, but the grid has {size} points", where, "set trials to null for all of them")


def grid_size(space: Mapping[str, Dimension]) -> int | None:
    """Number of points of the space; None where there is no end of them."""
    counts = [count for dimension in space.values() if (count := _count(dimension)) is not None]
    return math.prod(counts) if len(counts) == len(space) else None


def _count(dimension: Dimension) -> int | None:
    return len(dimension) if isinstance(dimension, list) else dimension.count
