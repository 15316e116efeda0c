"""What goes wrong, said once: what, where, how often, and what to do about it. One exit code per kind of error."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One problem in a config or in data.

    Attributes:
        what: the problem in plain words, with the number of rows it concerns.
        where: file, row, column or config key, e.g. "clicks.parquet, row 7, column 'user_id'".
        remedy: what the reader can type or change.
    """

    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n    where: {self.where}\n    fix: {self.remedy}"


class RecsysError(ValueError):
    """Every fault of one pass, reported together. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, *faults: Fault):
        self.faults = faults
        super().__init__(
            "\n".join([f"{count_text(len(faults), 'problem')}:", *(f"  {number}. {fault}" for number, fault in enumerate(faults, 1))])
        )


class ConfigError(RecsysError):
    """The configuration asks for something that does not exist or cannot work."""

    exit_code = 2


class ArgumentError(ConfigError):
    """A class cannot take an argument: `where` of each fault is its name, before which `recsys.config.build` sets the key of the class."""


class DataError(RecsysError):
    """The tables break a rule of the schema."""

    exit_code = 3


class IntegrityError(RecsysError):
    """A file is not what its manifest says, or a model cannot be exported as it is."""

    exit_code = 4


class NumericsError(RecsysError):
    """A loss, gradient or weight stopped being finite."""

    exit_code = 5


class ResourceError(RecsysError):
    """Disk, memory or permissions are not enough."""

    exit_code = 6


class SweepError(RecsysError):
    """Every trial of a sweep failed."""

    exit_code = 7


class ReleaseError(RecsysError):
    """A bundle did not pass a gate of its release; nothing was published.

    Args:
        gate: the first that was not passed, of `GATES`; it decides the exit code.
    """

    def __init__(self, gate: str, *faults: Fault):
        super().__init__(*faults)
        self.exit_code = GATES[gate]


PRUNED = 8
"""Exit code of a trial that its sweep stopped early, as it was worse than others."""
GATES = {
    "parity": 10,
    "golden": 11,
    "floor": 12,
    "production": 13,
    "latency": 14,
    "size": 15,
    "quantization": 16,
    "index": 17,
    "unknown": 18,
}
"""Exit code of each gate of a release, in the order in which they are looked at."""


def count_text(number: float, noun: str, plural: str = "") -> str:
    """A count with its noun, in the plural unless it is one.

    Example:
        >>> count_text(1, "user"), count_text(2000, "user"), count_text(0, "entry", "entries")
        ('1 user', '2,000 users', '0 entries')
    """
    return f"{number:,.0f} {noun if number == 1 else plural or f'{noun}s'}"


def name_list(names: Sequence[str], limit: int = 5) -> str:
    """The first names, and how many more there are.

    Example:
        >>> name_list(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """The sentence part "; did you mean 'x'?" for the closest known name, or "" when none is close.

    Example:
        >>> nearest("itemid", ["item_id", "user_id"])
        "; did you mean 'item_id'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
