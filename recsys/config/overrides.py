"""Override texts as Hydra parses them, and the runs that their sweeps stand for."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from recsys.errors import Fault

LONGEST_OVERRIDE, MOST_BRACKETS = 5_000, 200
"""Characters of one override, for more of which Hydra's parser takes seconds; opening brackets, a thousand of which end it."""
MOST_VALUES = 1_000
"""Number of values of one key; each is checked before the first run."""

BARE = re.compile(r"[A-Za-z_/][\w./@-]*")
BEFORE_QUOTE = re.compile(r"\\+(?='|\Z)")
"""Backslashes that Hydra reads as half as many; others stand for themselves."""
WORDS = ("null", "true", "false", "nan", "inf")
"""Texts that Hydra would read as something else."""
PLUGIN_KEYS = ("hydra.sweeper.", "hydra.launcher.")
"""Starts of those of Hydra's keys that a sweeper or launcher takes."""


@dataclass(frozen=True)
class OverrideValue:
    """An override, and its text with one value of its sweep, if it is one; `place` is where it was written."""

    override: Override
    text: str
    place: str = "command line"

    @property
    def where(self) -> str:
        return f"{self.place}, {self.text}"


def parsed_overrides(texts: list[str], loader: ConfigLoader, *, multirun: bool) -> tuple[list[Override], list[Fault]]:
    """The overrides that can be read; a fault for each of the others, and for each sweep without -m."""
    parser = OverridesParser.create(config_loader=loader)
    overrides, faults = [], []
    for text in texts:
        if len(text) > LONGEST_OVERRIDE or text.count("[") + text.count("{") + text.count("(") > MOST_BRACKETS:
            what = f"an override of {len(text):,} characters: '{text:.40}...'"
            remedy = f"keep it below {LONGEST_OVERRIDE:,}, and {MOST_BRACKETS} brackets; put more into a yaml file of conf"
            faults.append(Fault(what, "command line", remedy))
            continue
        try:
            override = parser.parse_override(text)
        except HydraException:
            faults.append(Fault(f"cannot read '{text:.200}'", "command line", "write key=value, and put quotes around special characters"))
            continue
        value = override.value()
        if isinstance(value, RangeSweep) and _length(value) > MOST_VALUES:
            faults.append(Fault(f"'{text:.200}' stands for too many values", "command line", f"sweep over at most {MOST_VALUES:,}"))
            continue
        if override.is_sweep_override() and not multirun:
            faults.append(
                Fault(
                    f"'{text}' lists several values",
                    "command line",
                    "add -m to run each of them (from Python, compose each), or write [a,b] for a list",
                )
            )
        overrides.append(override)
    return overrides, faults


def variants(keys: Iterable[list[OverrideValue]]) -> Iterator[list[OverrideValue]]:
    """The run with the first value of each key, then one for each other value, with the first ones of other keys."""
    values = list(keys)
    first = [entries[0] for entries in values]
    yield first
    for place, entries in enumerate(values):
        for entry in entries[1:]:
            yield [*first[:place], entry, *first[place + 1 :]]


def sweep_values(override: Override) -> list[OverrideValue]:
    """The override with each value of its sweep, or with its only one."""
    sweep, line = override.value(), str(override.input_line)
    if not override.is_sweep_override():
        return [OverrideValue(override, line)]
    values = [str(sweep.start), str(sweep.end)] if isinstance(sweep, IntervalSweep) else list(override.sweep_string_iterator())
    return [OverrideValue(override, f"{override.get_key_element()}={value}") for value in values] or [OverrideValue(override, line)]


def _length(sweep: RangeSweep) -> float:
    start, stop, step = (float(end or 0) for end in (sweep.start, sweep.stop, sweep.step))
    return abs(stop - start) / abs(step) if step else math.inf


def as_override(key: str, value: Any) -> str:
    """A value as the command line takes it.

    Example:
        >>> as_override("loss", "bpr"), as_override("model.hidden", [64, None]), as_override("name", "1e-3")
        ('loss=bpr', 'model.hidden=[64,null]', "name='1e-3'")
    """
    return f"{key}={value_text(value)}"


def value_text(value: Any) -> str:
    """A value as it stands behind an override's equals sign."""
    if isinstance(value, list):
        return f"[{','.join(value_text(entry) for entry in value)}]"
    if isinstance(value, str):
        bare = BARE.fullmatch(value) and value.lower() not in WORDS
        return value if bare else "'" + BEFORE_QUOTE.sub(r"\g<0>\g<0>", value).replace("'", "\\'") + "'"
    return json.dumps(value)  # true, null, 1e-05
