"""Metrics of every user, gathered over processes: the table from which all averages, groups and intervals are made.

U users, V catalogue rows, K positions, R relevant pairs, M metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from recsys.metric import beyond_accuracy, ranking
from recsys.metric.beyond_accuracy import NOVELTY, exposure, novelty
from recsys.metric.declaration import Declaration
from recsys.metric.interval import FEWEST, mean_intervals, share_intervals
from recsys.metric.ranking import rank
from recsys.metric.top_k import TopK

OF_GROUPS = tuple(metric for metric in ranking.METRICS if metric.groups)
"""Metrics of groups of users and items."""

SHARES = tuple(metric.name for metric in ranking.METRICS)
"""Metrics of a user in [0, 1], 0 for most users; others, such as novelty, spread around their mean."""


def declarations() -> tuple[Declaration, ...]:
    """Every metric of lists: those that have a value by user, then those of all lists together."""
    return (*ranking.METRICS, NOVELTY, *beyond_accuracy.METRICS)


@dataclass(frozen=True)
class Group:
    """Users or items with metrics of their own. Of a group of items only these count as relevant, while lists stay as they are.

    Attributes:
        name: as in metric keys, e.g. "popularity=head".
        codes: [n + 1] int64 group of each entity.
        code: of this group.
    """

    name: str
    codes: Tensor
    code: int


class UserTable:
    """One row per user with a relevant item, by ascending user. No dataclass: torchmetrics would squeeze a table of one user.

    Args:
        user: [U] int64.
        values: [U, M] float64; NaN where a user has no relevant item in a group.
        items: [U, K] int64 recommended items, 0 where a list is shorter.
        columns: names of the M columns, e.g. "recall@20", "popularity=head/recall@20".
        left_out: number of users without relevant items.
    """

    def __init__(self, user: Tensor, values: Tensor, *, items: Tensor, columns: tuple[str, ...], left_out: int):
        self.user, self.values, self.items = user, values, items
        self.columns = columns
        self.left_out = left_out

    def column(self, name: str) -> Tensor:
        """[U] values of a column."""
        return self.values[:, self.columns.index(name)]

    def means(self, rows: Tensor, columns: list[str], group: str, *, min_users: int) -> dict[str, float]:
        """{"<group>/<metric>": mean of a column over these rows [U] bool, "<group>/users": their number}; empty for fewer rows."""
        if rows.sum() < max(min_users, 1):
            return {}
        means = mean(self.values[rows][:, [self.columns.index(name) for name in columns]])
        result = {f"{group}/{name.rpartition('/')[2]}": value for name, value in zip(columns, means)}
        return result | {f"{group}/users": float(rows.sum())}


class UserMetrics(Metric):
    """Measures lists on the CPU in float64 and keeps one row per user; `compute` gives every process the table of all users.

    A user that several processes report, as padding of an uneven split does, counts once.

    Args:
        slice_ks: cut-offs of the metrics of groups of items, each at most the largest of ks.
        bits: [V] float64, from `self_information`.
    """

    full_state_update = False
    user: list[Tensor]
    values: list[Tensor]
    items: list[Tensor]

    def __init__(self, ks: list[int], slice_ks: list[int], *, bits: Tensor, groups: list[Group]):
        super().__init__()
        self.ks, self.slice_ks, self.bits, self.groups = ks, slice_ks, bits, groups
        self.columns = (
            *(f"{name}@{k}" for name in (*(metric.name for metric in ranking.METRICS), NOVELTY.name) for k in ks),
            *(f"{group.name}/{metric.name}@{k}" for group in groups for metric in OF_GROUPS for k in slice_ks),
        )
        for state in ("user", "values", "items"):
            self.add_state(state, [], dist_reduce_fx="cat")
        nothing = torch.empty((0, max(ks)), dtype=torch.int64)
        nobody = nothing[:, 0]
        # a process that gets no user must still send tensors of the right rank, or the others wait for it for ever
        self.update(nobody, TopK(nothing, nothing, nothing, nothing, nobody), nothing[:, :2].T)

    def update(self, user: Tensor, top: TopK, relevant: Tensor) -> None:
        """Measure a batch of users.

        Args:
            user: [B] int64 entity index.
            top: their lists, on the CPU, at least as long as every cut-off.
            relevant: [2, R] int64 (row, item), the pairs of `top.relevant_start`.
        """
        row, item = relevant
        places = rank(top, row, top.relevant_start)
        values = [metric.measure(places, self.ks) for metric in ranking.METRICS]
        values.append(novelty(top.items, self.ks, self.bits))
        for group in self.groups:
            inside = group.codes[item] == group.code
            part = rank(top, row[inside], top.relevant_start[inside])
            values += [metric.measure(part, self.slice_ks) for metric in OF_GROUPS]
        self.user.append(user.to(self.device))
        self.values.append(torch.cat(values, 1).to(self.device))
        self.items.append(top.items.to(self.device))

    def compute(self) -> UserTable:
        """The table of all users of all processes, on the CPU."""
        user, values, items = (
            torch.cat(state).cpu() if isinstance(state, list) else state.cpu() for state in (self.user, self.values, self.items)
        )
        user, order = user.sort(stable=True)
        first = torch.ones_like(user, dtype=torch.bool)
        first[1:] = user[1:] != user[:-1]
        measured = ~values[order, 0].isnan()  # the first column is NaN without relevant items
        rows = order[first & measured]
        left_out = int((first & ~measured).sum())
        return UserTable(user[first & measured], values[rows], items=items[rows], columns=self.columns, left_out=left_out)


def mean(values: Tensor) -> list[float]:
    """Means of the columns of [U, M] float64, NaN left out, at least one number in each; the same for every number of threads."""
    by_column = np.ascontiguousarray(values.numpy().T)  # one thread sums each row pairwise; torch.sum would split the work
    counted = ~np.isnan(by_column)
    return (np.where(counted, by_column, 0.0).sum(1) / counted.sum(1)).tolist()


def summary(table: UserTable, ks: list[int], num_items: int) -> dict[str, float]:
    """{"recall@20": mean over users, "coverage@20": of all lists of the catalogue, "users", "users_left_out", ...}, without groups."""
    names = [name for name in table.columns if "/" not in name]
    result = dict(zip(names, mean(table.values[:, : len(names)])))
    for k in ks:
        exposures = exposure(table.items, k, num_items)
        result |= {f"{metric.name}@{k}": metric.measure(exposures) for metric in beyond_accuracy.METRICS}
    return {**result, "users": float(len(table.user)), "users_left_out": float(table.left_out)}


def user_group_means(table: UserTable, groups: list[Group], *, ks: list[int], min_users: int) -> dict[str, float]:
    """Metrics of groups of users, whose `codes` are by user entity index; groups of fewer than `min_users` are left out."""
    columns = [f"{metric.name}@{k}" for metric in OF_GROUPS for k in ks]
    result: dict[str, float] = {}
    for group in groups:
        result |= table.means(group.codes[table.user] == group.code, columns, group.name, min_users=min_users)
    return result


def item_group_means(table: UserTable, groups: list[Group], *, ks: list[int], min_users: int) -> dict[str, float]:
    """Metrics of groups of items that the table was measured with, over users with a relevant item among them; as `user_group_means`."""
    result: dict[str, float] = {}
    for group in groups:
        columns = [f"{group.name}/{metric.name}@{k}" for metric in OF_GROUPS for k in ks]
        result |= table.means(~table.column(columns[0]).isnan(), columns, group.name, min_users=min_users)
    return result


def intervals(values: Tensor, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """{name: 95 % interval of the mean} of columns [U, M] float64 of users in a fixed order; empty below `FEWEST` users.

    Args:
        names: keys of the M columns, each ending in "<metric>@<k>".
    """
    if len(values) < FEWEST:
        return {}
    columns, bounds = dict(zip(names, np.ascontiguousarray(values.numpy().T))), {}
    for name, column in columns.items():
        metric, _, k = name.rpartition("/")[2].partition("@")
        if metric not in SHARES:
            low, high = mean_intervals(column[:, None])
        else:
            # users have few relevant items: a precision of 1 that nobody came near is not to be reckoned with
            largest = max(column.max(), 1 / int(k)) if metric == "precision" else 1.0
            low, high = share_intervals(column[:, None], largest=largest)
        bounds[name] = (float(low[0]), float(high[0]))
    return bounds


def too_few(users: int) -> list[str]:
    """A sentence where there are too few users for intervals."""
    return [f"too few users for intervals: {users:,}, {FEWEST} are needed"] if users < FEWEST else []
