"""Training rows whose first label is 0, of which every epoch reads a share. N rows."""

from dataclasses import dataclass

import numpy as np

from recsys.data.store import Store
from recsys.errors import ConfigError, Fault
from recsys.schema import Schema

KEY = "task.keep_negatives"


@dataclass(frozen=True)
class NegativeSample:
    """Rows of which each epoch reads `kept`, drawn anew; it reads all others.

    Attributes:
        negative: [N] bool, whether the first label is 0. A row whose first label is missing is no negative, and always read: it has no
            part in the loss of any label of the funnel, so the odds of the first label among the rows where it is known move the same.
        kept: how many of them an epoch reads, at least 1.
    """

    negative: np.ndarray
    kept: int

    @property
    def share(self) -> float:
        """Share of the negatives that an epoch reads: the configured one, rounded to whole rows."""
        return self.kept / int(self.negative.sum())

    @property
    def num_rows(self) -> int:
        """Number of rows of an epoch."""
        return int((~self.negative).sum()) + self.kept

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Row numbers of one epoch, [num_rows] int64."""
        kept = generator.choice(self.negative.nonzero()[0], self.kept, replace=False, shuffle=False)
        return np.concatenate([(~self.negative).nonzero()[0], kept])


def negative_sample(store: Store, share: float) -> NegativeSample | None:
    """Training rows of which an epoch reads a share, numbered as in `recsys.data.read.impressions.Impressions`; None = it reads all.

    Args:
        share: of the negatives, in (0, 1]; 1 = all.
    Raises:
        ConfigError: the share lies outside (0, 1], or keeps no row; or the labels are not one funnel behind one 0/1 label.
    """
    if share == 1:
        return None
    if not 0 < share < 1:
        raise ConfigError(Fault(f"keep_negatives is {share}", KEY, "choose a share in (0, 1], such as 0.25; 1 keeps all"))
    first = _first_label(store.schema)
    negative = (store.labels[first].cpu()[store.split.cpu() == 0] == 0).numpy()  # a missing label is NaN
    kept = round(share * int(negative.sum()))
    if kept == 0:
        what = f"{share} of the {negative.sum():,} training rows where '{first}' is 0 is no row"
        raise ConfigError(Fault(what, KEY, "choose a larger share; 1 keeps all"))
    return NegativeSample(negative, kept)


def _first_label(schema: Schema) -> str:
    """Column of the one label that all others are given, directly or by way of others."""
    first = [label for label in schema.labels if label.given is None]
    if len(first) > 1:
        names = ", ".join(f"'{label.column}'" for label in first)
        what = f"{names} are each given no other label: leaving out rows without one changes how often the rest occur, by no known factor"
        raise ConfigError(Fault(what, KEY, "choose 1, which keeps all, or name in data.labels what each label is given"))
    if first[0].kind != "binary":
        what = f"'{first[0].column}', which is given no other label, is a number: no row is its negative"
        raise ConfigError(Fault(what, KEY, "choose 1, which keeps all"))
    return first[0].column
