"""Metrics of one label over impressions, why some are missing, and their intervals over users.

N rows, U units that are independent (users; without them sessions; without those rows), L lists (sessions; without them a user's rows).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.metric import binary, influence
from recsys.metric.binary import SortedRows, log_losses, sort_rows
from recsys.metric.grouped import Groups, auc_per_group, ndcg_per_group, recall_per_group, sort_groups
from recsys.metric.influence import standard_error
from recsys.metric.interval import FEWEST, OfError, interval_of_ratio, interval_of_share

Ratios = dict[str, tuple[np.ndarray, np.ndarray]]
"""Name -> numerator [U] and denominator [U] of a quotient of sums over units."""
LOGARITHMIC = ("log_loss", "normalized_entropy", "predicted_over_actual")
"""Metrics without an upper end; all others with intervals lie in [0, 1]."""
COUNTS = ("rows", "positives", "gauc_users", "ranked_lists")
"""What metrics are averages over."""


@dataclass(frozen=True)
class Impressions:
    """Rows sorted once, to be measured with any number of copies of each unit.

    Attributes:
        ordered: the rows by probability.
        unit: [N] int64 unit of the row at each place of `ordered`.
        num_units: U.
        ratios: of the metrics that are such a quotient.
        counts: rows, positives, and how many users and lists the averages are over.
        ks: cut-offs of NDCG and recall.
    """

    ordered: SortedRows
    unit: np.ndarray
    num_units: int
    ratios: Ratios
    counts: dict[str, float]
    ks: list[int]

    def num_bearing(self) -> int:
        """Number of units with a row of the rarer class: the many others say little of how well a model separates the classes."""
        return min(len(np.unique(self.unit[self.ordered.label == label])) for label in (0, 1))

    def measure(self, copies: np.ndarray) -> dict[str, float]:
        """{metric: value} of the rows when each unit's stand there `copies` [U] times; copies of a user are users of their own.

        NaN where undefined; without the metrics that need a user or list where there is none.
        """
        tally = self.ordered.tally(copies[self.unit])
        sums = {name: (float((upper * copies).sum()), float((lower * copies).sum())) for name, (upper, lower) in self.ratios.items()}
        values = {name: upper / lower if lower else math.nan for name, (upper, lower) in sums.items()}
        for metric in binary.METRICS:
            if metric.measure is not None:
                values[metric.name] = metric.measure(tally, values)
        return values

    def metrics(self) -> tuple[dict[str, float], dict[str, str]]:
        """Every metric of the rows, and why the others have no value.

        Returns:
            metrics: those of `binary.METRICS`, "ndcg@<k>", "recall@<k>", as far as defined; "rows", "positives", "gauc_users" and
                "ranked_lists" (those with a positive).
            missing: reason by the name of each metric left out, e.g. "n/a: no positive among 1,234 rows".
        """
        measured = self.measure(np.ones(self.num_units, np.int64))
        metrics, missing = {}, {}
        cut_off = [f"{name}@{k}" for name in ("ndcg", "recall") for k in self.ks]
        for name in (*(metric.name for metric in binary.METRICS), *cut_off):
            if name not in measured:
                missing[name] = "n/a: rows have no user" if name.startswith("gauc") else "n/a: rows have neither user nor session"
            elif math.isnan(measured[name]):
                missing[name] = self._reason()
            else:
                metrics[name] = measured[name]
        return {**metrics, **self.counts}, missing

    def _reason(self) -> str:
        """Why a metric of these rows is undefined."""
        rows, positives = int(self.counts["rows"]), int(self.counts["positives"])
        if rows == 0:
            return "n/a: no rows"
        if positives in (0, rows):
            return f"n/a: no {'negative' if positives else 'positive'} among {rows:,} rows"
        return "n/a: no user has both a positive and a negative"

    def intervals(self) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
        """95 % intervals over units, all rows of one together, and why other metrics have none.

        Student's, on the scale of log odds for shares and of logarithms for others (`LOGARITHMIC`), with the standard error that the
        units' influences give. A calibration error has none: its noise lifts it, and stands beside it as "ece_noise".

        Returns:
            bounds: {metric: (low, high)}.
            missing: reason by the name of each defined metric without bounds, e.g. "too few users for an interval: 7, 20 are needed".
        """
        values = self.measure(np.ones(self.num_units, np.int64))
        bounds, missing = {}, {}
        for name, of_units in self.influences(values).items():
            units = self._num_bearing(name)
            both = interval_of(name)(values[name], standard_error(of_units), units) if units >= FEWEST else None
            if both is not None:
                bounds[name] = both
            elif units < FEWEST:
                missing[name] = f"too few users for an interval: {units:,} bear on it, {FEWEST} are needed"
            else:
                missing[name] = "no interval: the value stands at the end of its range"
        return bounds, missing

    def influences(self, values: dict[str, float]) -> dict[str, np.ndarray]:
        """{metric: [U] influence of each unit} of the defined metrics, whose values are given, without calibration errors."""
        quotients = {name: both for name, both in self.ratios.items() if not math.isnan(values[name])}
        influences = {name: influence.of_quotient(*both) for name, both in quotients.items()}
        if math.isnan(values["auc"]):
            return influences
        tally = self.ordered.tally(np.ones(len(self.unit), np.int64))
        for name, of_rows in (("auc", influence.of_auc), ("pr_auc", influence.of_average_precision)):
            influences[name] = np.bincount(self.unit, of_rows(self.ordered, tally, values[name]), self.num_units)
        positives, rows = self.ratios["predicted_over_actual"][1], self.ratios["log_loss"][1]
        loss, entropy = values["log_loss"], values["log_loss"] / values["normalized_entropy"]
        influences["normalized_entropy"] = influence.of_normalized_entropy(
            influences["log_loss"], positives, rows, loss=loss, entropy=entropy
        )
        return influences

    def _num_bearing(self, name: str) -> int:
        """Units that bear on a metric: those with a part in its quotient, or with a row of the rarer class."""
        if name in self.ratios and name not in LOGARITHMIC:
            return int((self.ratios[name][1] > 0).sum())
        return self.num_bearing()


def interval_of(metric: str) -> OfError:
    """Kind of interval of a metric, such as "auc" or "click/auc"."""
    return interval_of_ratio if metric.rpartition("/")[2] in LOGARITHMIC else interval_of_share


def impressions(probability: Tensor, label: Tensor, *, user: Tensor | None, ks: list[int], session: Tensor | None = None) -> Impressions:
    """Impressions of one label.

    Args:
        probability: [N] float64 in [0, 1], on the CPU.
        label: [N] 0 or 1, any dtype. For a label given another, only the rows where that one is 1.
        user: [N] int64; None where rows have no user: then without GAUC.
        ks: cut-offs of NDCG and recall, each at least 1.
        session: [N] int64 list that a row was shown in, unique within its user; None: all rows of a user are one list.
    Raises:
        ValueError: a probability outside [0, 1], a label other than 0 and 1, or columns of different lengths.
    """
    _check(probability, label, user=user, session=session)
    lists = _lists(user, session)
    drawn = lists if user is None else user
    unit = np.arange(len(label)) if drawn is None else np.unique(drawn.numpy(), return_inverse=True)[1]
    num_units = int(unit.max()) + 1 if len(unit) else 0
    positives = np.bincount(unit, weights=label.long().numpy())
    ratios: Ratios = {
        "log_loss": (np.bincount(unit, weights=log_losses(probability, label)), np.bincount(unit)),
        "predicted_over_actual": (np.bincount(unit, weights=probability.double().numpy()), positives),
    }
    counts = {"rows": float(len(label)), "positives": float(label.long().sum())}
    if user is not None:
        groups = sort_groups(probability, label, user)  # by ascending user: groups are the units
        value = auc_per_group(groups)
        ratios |= {"gauc": _weighted(value, groups.rows), "gauc_by_positives": _weighted(value, groups.positives)}
        counts["gauc_users"] = float(((groups.positives > 0) & (groups.positives < groups.rows)).sum())
    if lists is not None:
        groups = sort_groups(probability, label, lists)
        owner = np.empty(len(groups.id), dtype=np.int64)
        owner[np.searchsorted(groups.id, lists.numpy())] = unit  # a list is one user's
        ratios |= _list_ratios(groups, owner, num_units=num_units, ks=ks)
        counts["ranked_lists"] = float((groups.positives > 0).sum())
    ordered = sort_rows(probability, label)
    return Impressions(ordered, unit[ordered.order], num_units=num_units, ratios=ratios, counts=counts, ks=ks)


def _check(probability: Tensor, label: Tensor, *, user: Tensor | None, session: Tensor | None) -> None:
    lengths = [len(column) for column in (probability, label, user, session) if column is not None]
    if len(set(lengths)) > 1:
        raise ValueError(f"probability, label, user and session need one value per row, got {lengths} rows; select the same rows of each")
    outside = int((~((probability >= 0) & (probability <= 1))).sum())
    if outside:
        raise ValueError(f"probabilities lie in [0, 1], got {outside:,} of {len(label):,} outside or NaN; pass sigmoid(logits), not logits")
    other = label[(label != 0) & (label != 1)]
    if len(other):
        raise ValueError(f"a binary label is 0 or 1, got {other[0].item()}; measure a real value by recsys.metric.regression")


def _lists(user: Tensor | None, session: Tensor | None) -> Tensor | None:
    """[N] int64 list of each row: sessions that share a name between users are apart."""
    if user is None or session is None:
        return user if session is None else session
    users, sessions = (np.unique(column.numpy(), return_inverse=True)[1] for column in (user, session))
    return torch.from_numpy(users * (len(sessions) + 1) + sessions)


def _list_ratios(groups: Groups, owner: np.ndarray, *, num_units: int, ks: list[int]) -> Ratios:
    """Sums of NDCG and recall; owner: [L] int64 unit of each list."""
    ratios = {}
    for name, metric in (("ndcg", ndcg_per_group), ("recall", recall_per_group)):
        for k in ks:
            upper, lower = _weighted(metric(groups, k), np.ones(len(owner)))
            ratios[f"{name}@{k}"] = (np.bincount(owner, upper, num_units), np.bincount(owner, lower, num_units))
    return ratios


def _weighted(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Terms of numerator and denominator of a weighted mean, 0 where the value is NaN."""
    counted = ~np.isnan(values)
    return np.where(counted, values * weight, 0.0), np.where(counted, weight, 0)
