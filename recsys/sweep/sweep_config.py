"""What a sweep is asked for: `hydra.sweeper` of conf/sweep/<name>.yaml, with the rules that its values keep."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recsys.config.check import check_config
from recsys.config.overrides import value_text
from recsys.errors import ConfigError, Fault
from recsys.schema import nearest

MEASURES = ("bundle/size_mb", "bundle/p50_ms", "bundle/p99_ms")
"""Objectives that the exported run is asked for: its files together, and one request to its slower part."""
MOST_VALUES = 1_000
"""Of a list."""
LARGEST_GRID = 100_000


@dataclass(frozen=True)
class SweepConfig:
    """One sweep; `recsys.sweep.sweeper.OptunaSweeper` carries it out.

    Attributes:
        objectives: {validation metric of metrics.json, or one of `MEASURES`: which of its values are better}.
        space: {key, or group of conf: a list of its values, or the keys of `Range`}.
        sampler: how the next trial is chosen; grid goes through every point.
        trials: how many, failed and pruned ones included; null = every point of a grid.
        pruner: what stops a trial that is worse than earlier ones were; null = nothing.
        seed: of the sampler.
    """

    objectives: dict[str, Literal["max", "min"]]
    space: dict[str, Any]
    sampler: Literal["tpe", "random", "grid"]
    trials: int | None
    pruner: Literal["median", "halving", "hyperband"] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; whole ones if both are written so.

    Attributes:
        log: the smaller, the finer.
        step: distance of one value from the next.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return type(self.low) is int and type(self.high) is int and type(self.step) in (int, type(None))

    @property
    def distance(self) -> float | None:
        """Of one value from the next; None where there is no end of them."""
        return self.step or (1 if self.whole and not self.log else None)

    @property
    def count(self) -> int | None:
        """How many values there are; None where there is no end of them."""
        # a step of 0.1 reaches 0.3 from 0
        return None if self.distance is None else math.floor((self.high - self.low) / self.distance + 1e-9) + 1

    def values(self) -> list[float]:
        """All of them, where there is an end."""
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
    """Values that stand for all of a dimension when it is held against the code."""
    return dimension if isinstance(dimension, list) else [dimension.low, dimension.high]


def sweep_faults(node: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    """Everything about a sweep that can be told without its runs.

    Args:
        node: `hydra.sweeper` without its `_target_`.
        origin: {key of the node: file and line, or command line}.
    """
    try:
        check_config(node, SweepConfig, origin=origin)
    except ConfigError as error:
        yield from error.faults
        return
    yield from _objective_faults(node, origin)
    faults = [fault for key, entry in node["space"].items() for fault in _dimension_faults(key, entry, origin)]
    if not node["space"]:
        faults = [Fault("nothing varies between the trials", _where("space", origin), "give space a key and its values")]
    yield from faults or _size_faults(node, origin)


def _objective_faults(node: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    where = _where("objectives", origin)
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
        yield Fault("only a sweep with one validation metric as its objective can stop trials early", _where("pruner", origin), remedy)


def _dimension_faults(key: str, entry: Any, origin: Mapping[str, str]) -> Iterator[Fault]:
    where = _where(f"space.{key}", origin)
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
        check_config(entry, Range, origin={"": where})
    except ConfigError as error:
        yield from error.faults
        return
    span = Range(**entry)
    if not (math.isfinite(span.low) and math.isfinite(span.high) and span.low < span.high):
        yield Fault(f"'{key}' goes from {span.low} to {span.high}", where, "low has to be below high")
    elif span.log and span.low <= 0:
        yield Fault(f"'{key}' starts at {span.low}, which has no logarithm", where, "give low a value above 0, or remove log")
    elif span.step is not None and (span.log or not 0 < span.step <= span.high - span.low):
        yield Fault(f"'{key}' has a step of {span.step}", where, "a step is above 0, fits between low and high, and goes without log")


def _size_faults(node: dict, origin: Mapping[str, str]) -> Iterator[Fault]:
    where, trials, space = _where("trials", origin), node["trials"], dimensions(node["space"])
    size = grid_size(space)
    if node["sampler"] == "grid" and size is None:
        endless = [key for key, dimension in space.items() if _count(dimension) is None]
        remedy = "give them a step or a list of values, or use sampler tpe or random"
        yield Fault(f"a grid has no end over {', '.join(endless)}", _where("space", origin), remedy)
    elif node["sampler"] == "grid" and size is not None and size > LARGEST_GRID:
        yield Fault(f"a grid of {size:,} points", _where("space", origin), f"keep it below {LARGEST_GRID:,}, or use sampler tpe or random")
    elif trials is None and node["sampler"] != "grid":
        yield Fault(f"sampler {node['sampler']} would never end", where, "say how many trials")
    elif trials is not None and trials < 1:
        yield Fault(f"{trials} trials", where, "at least 1")
    elif trials is not None and node["sampler"] == "grid" and size is not None and trials > size:
        yield Fault(f"{trials} trials, but the grid has {size} points", where, "set trials to null for all of them")


def grid_size(space: Mapping[str, Dimension]) -> int | None:
    """Points of the space; None where there is no end of them."""
    counts = [count for dimension in space.values() if (count := _count(dimension)) is not None]
    return math.prod(counts) if len(counts) == len(space) else None


def _count(dimension: Dimension) -> int | None:
    return len(dimension) if isinstance(dimension, list) else dimension.count


def _where(key: str, origin: Mapping[str, str]) -> str:
    """The place of a key of the node; of the node itself where the key has none."""
    for known in (key, key.partition(".")[0], ""):
        if known in origin:
            return f"{origin[known]}, key '{key}'"
    return f"key '{key}'"
