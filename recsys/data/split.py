"""Splits: rows to train on, to select by and to test with. N rows in file order; codes: 0 train, 1 validation, 2 test."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from recsys.data.store.interactions import stable_order
from recsys.errors import ConfigError, DataError, Fault
from recsys.ranges import Column, Part, Positive, Seed, Share, require_ranges
from recsys.schema.kind.timestamp import DAY_US

TRAIN, VAL, TEST = 0, 1, 2
NAMES = ("training", "validation", "test")
GIVEN = {"train": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "test": TEST}


@dataclass(frozen=True)
class SplitRows:
    """Rows as a split sees them."""

    user: np.ndarray  # [N] int32 user entity index
    time: np.ndarray | None  # [N] int64, microseconds since 1970 UTC or a rank within the user; None when nothing is known of order
    calendar: bool  # `time` is a moment, comparable across users; False for a rank
    positive: np.ndarray  # [N] bool, the row is a positive interaction
    given: pl.Series | None = None  # [N] the raw column named by `Split.column`; None when the split reads none


@dataclass(frozen=True)
class Assignment:
    """The split of every row; of a temporal one also its boundaries, in microseconds."""

    codes: np.ndarray  # [N] uint8: 0 train, 1 validation, 2 test
    leaks: str | None = None  # sentence that says how training sees the future of test rows; None when it cannot
    boundaries: dict[str, int] | None = None  # {"val": first moment of validation, "test": of test, "end": after the last row}


class Split(ABC):
    """A rule that divides rows; `column` is the raw column it reads, None for most."""

    column: str | None = None

    @abstractmethod
    def assign(self, rows: SplitRows) -> Assignment:
        """The split of each row; DataError when the rows cannot be divided this way."""


@dataclass(frozen=True)
class Temporal(Split):
    """One cut in time for everybody: what is served tomorrow was never trained on. Never leaks."""

    val_days: Positive | None = None  # the days before those of the test
    test_days: Positive | None = None  # the last days of the data, counted back from its last timestamp
    val_start: Column | None = None  # instead of days, the first moment of validation as an ISO date or date-time in UTC
    test_start: Column | None = None  # and of test

    def __post_init__(self):
        days, dates = (self.val_days, self.test_days), (self.val_start, self.test_start)
        if (None in days) == (None in dates) or any(entry is not None for entry in (days if None in days else dates)):
            what = f"a temporal split takes val_days and test_days, or val_start and test_start; got {self}"
            raise ConfigError(Fault(what, "data.split", "give one pair and leave the other null"))
        require_ranges(Temporal, vars(self))

    def assign(self, rows: SplitRows) -> Assignment:
        if rows.time is None or not rows.calendar:
            what = "a temporal split needs moments, and these rows have none that compare across users"
            remedy = "name a timestamp column, or use another split: _target_: recsys.data.split.LeaveOneOut"
            raise DataError(Fault(what, "data.time, data.time_unit", remedy))
        end = int(rows.time.max()) + 1
        if self.val_start is not None and self.test_start is not None:
            val, test = _microseconds(self.val_start), _microseconds(self.test_start)
        else:
            assert self.val_days is not None
            assert self.test_days is not None
            test = end - round(self.test_days * DAY_US)
            val = test - round(self.val_days * DAY_US)
        codes = (rows.time >= val).astype(np.uint8)
        codes += rows.time >= test
        return Assignment(codes, boundaries={"val": val, "test": test, "end": end})


@dataclass(frozen=True)
class LeaveOneOut(Split):
    """Each user's last positive row is test, the one before it validation; order by time, then by file order.

    Users with fewer than three positives stay in training. A row that is no positive goes where its moment falls: from the
    validation positive on it is validation, from the test positive on test.
    """

    def assign(self, rows: SplitRows) -> Assignment:
        time = np.zeros(len(rows.user), dtype=np.int64) if rows.time is None else rows.time
        positive_at = np.flatnonzero(rows.positive)
        user = rows.user[positive_at]
        by_user = stable_order(user, time[positive_at])
        users, first, count = np.unique(user[by_user], return_index=True, return_counts=True)
        users, last = users[count >= 3], (first + count - 1)[count >= 3]
        codes = np.zeros(len(time), dtype=np.uint8)
        for row in (positive_at[by_user[last - 1]], positive_at[by_user[last]]):
            codes += _at_or_after(rows.user, time, users, row)
        return Assignment(codes, future_leak(rows, codes))


@dataclass(frozen=True)
class Ratio(Split):
    """Rows at random, whatever their moment. Leaks the future wherever rows have an order."""

    val_share: Part = 0.1  # of all rows, above 0
    test_share: Part = 0.1  # likewise; together they are below 1
    seed: Seed = 0  # of the shuffle

    def __post_init__(self):
        require_ranges(Ratio, vars(self))
        if self.val_share + self.test_share >= 1:
            what = f"val_share {self.val_share} and test_share {self.test_share} leave no rows for one of the three parts"
            raise ConfigError(Fault(what, "data.split", "use shares above 0 whose sum is below 1"))

    def assign(self, rows: SplitRows) -> Assignment:
        shuffled = np.random.Generator(np.random.Philox(self.seed)).permutation(len(rows.user))
        num_test, num_val = round(self.test_share * len(shuffled)), round(self.val_share * len(shuffled))
        codes = np.zeros(len(shuffled), dtype=np.uint8)
        codes[shuffled[:num_test]] = TEST
        codes[shuffled[num_test : num_test + num_val]] = VAL
        return Assignment(codes, future_leak(rows, codes))


@dataclass(frozen=True)
class Given(Split):
    """The parts that a column names: train, val (or valid, validation) or test."""

    column: Column = "split"  # raw column of the interactions; a source of several files adds it
    val_share: Share = 0.0  # where nothing is marked validation, cut this share of every user's training rows at random (rounded down)
    seed: Seed = 0  # of that cut

    def assign(self, rows: SplitRows) -> Assignment:
        assert rows.given is not None, "a split with a column is given that column"
        codes = self._codes(rows.given)
        if self.val_share > 0:
            if (codes == VAL).any():
                what = f"val_share is {self.val_share}, and column '{self.column}' marks {np.sum(codes == VAL):,} rows as validation"
                raise ConfigError(Fault(what, "data.split.val_share", "set val_share: 0"))
            train_at = np.flatnonzero(codes == TRAIN)
            codes[train_at[_share_of_each(rows.user[train_at], self.val_share, self.seed)]] = VAL
        return Assignment(codes, future_leak(rows, codes))

    def _codes(self, given: pl.Series) -> np.ndarray:
        codes = given.cast(pl.String).replace_strict(GIVEN, default=None, return_dtype=pl.UInt8)
        strangers = given.filter(codes.is_null())
        if len(strangers):
            examples = ", ".join(repr(value) for value in strangers.unique().sort()[:5])
            what = f"{len(strangers):,} rows are marked neither train, val nor test but {examples}"
            raise DataError(Fault(what, f"interactions, column '{self.column}'", f"use {', '.join(GIVEN)}"))
        return codes.to_numpy().copy()


def _microseconds(moment: str) -> int:
    parsed = datetime.fromisoformat(moment)
    return round(parsed.replace(tzinfo=parsed.tzinfo or UTC).timestamp() * 1_000_000)


def _at_or_after(user: np.ndarray, time: np.ndarray, users: np.ndarray, row: np.ndarray) -> np.ndarray:
    """[N] bool: the row is its user's cut row (`row` [U], of `users` [U]), or comes after it in (time, file) order."""
    cut_row = np.full(user.max() + 1, len(user), dtype=np.int64)
    cut_time = np.full(user.max() + 1, np.iinfo(np.int64).max, dtype=np.int64)
    cut_row[users], cut_time[users] = row, time[row]
    return (time > cut_time[user]) | ((time == cut_time[user]) & (np.arange(len(user)) >= cut_row[user]))


def _share_of_each(user: np.ndarray, share: float, seed: int) -> np.ndarray:
    """[N] bool: a random `share` of every user's rows, rounded down."""
    luck = np.random.Generator(np.random.Philox(seed)).permutation(len(user))
    order = stable_order(user, luck)
    _, first, count = np.unique(user[order], return_index=True, return_counts=True)
    position = np.arange(len(user)) - np.repeat(first, count)
    chosen = np.zeros(len(user), dtype=bool)
    chosen[order] = position < np.repeat(np.floor(count * share), count)
    return chosen


def future_leak(rows: SplitRows, codes: np.ndarray) -> str | None:
    """Sentence that says how many training rows are later than test rows; None when the rows show that none is.

    Ranks do not compare across users: each user's training rows are held against that user's own test rows.
    """
    train, test = codes == TRAIN, codes == TEST
    if rows.time is None:
        return "the split leaks if the rows have an order: nothing is known of it, so training rows may be later than test rows"
    first_test = np.full(int(rows.user.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first_test, rows.user[test], rows.time[test])
    if rows.calendar:
        first_test[:] = first_test.min()
    late, total = int(np.sum(rows.time[train] > first_test[rows.user[train]])), int(train.sum())
    if late:
        which = "the first test row" if rows.calendar else "their own user's first test row"
        number = f"{late:,} of {total:,} training rows ({late / total:.1%})"
        return f"the split leaks the future: {number} are later than {which}; a temporal split would not"
    if rows.calendar:
        return None
    return "the split keeps the order within each user; across users none is known, so training may see what comes after others' test rows"
