"""What a check of the data found."""

from dataclasses import dataclass

from recsys.errors import Fault


@dataclass(frozen=True)
class Findings:
    """Empty when all is well.

    Attributes:
        faults: what must not be prepared or trained on.
        notes: what is worth knowing and no fault, in sentences with counts.
    """

    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
