"""Guess which columns of the interactions are the user, the item, the time and the labels, from names, types and values."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

import polars as pl

from recsys.data.split import GIVEN
from recsys.errors import DataError, Fault
from recsys.infer.columns import Column, words
from recsys.schema import Label, TimeUnit, nearest
from recsys.schema.kind.timestamp import DAY_S, PLAUSIBLE_S, TICKS_PER_S, US_PER_S, is_date

USER_WORDS = words(
    "user customer member visitor client account subscriber reader viewer listener buyer reviewer player person uid author session"
)
ITEM_WORDS = words(
    "item product movie article stock sku asin book track song video news content listing iid business restaurant recipe game app "
    "anime artist show post document course job hotel poi ad campaign offer creative goods merchant store venue place photo"
)
KEY_WORDS = words("id code key number no")
TIME_WORDS = words("timestamp time datetime ts date at unix epoch created day seq sequence")
BESIDE_TIME = words("event interaction pos position index idx number no")
"""Words that may stand beside TIME_WORDS in the name of a rank."""
LABEL_WORDS = words(
    "click clicked clicks purchase purchased buy bought conversion converted convert order ordered label target like liked cart favorite "
    "favourite install installed watch watched finish finished share shared follow followed visit visited view viewed response responded "
    "booking booked positive"
)
MAX_MISSING = 0.05
"""A time may be missing in this share of the rows, which are set aside."""


@dataclass(frozen=True)
class Time:
    """A column that orders a user's rows."""

    column: str  # as in Schema.time and Schema.time_unit
    unit: TimeUnit  # as in Schema.time and Schema.time_unit
    why: str  # type and reason
    read_as: str | None = None  # type in `data.source.types` that the column needs; None = its own

    def microseconds(self) -> pl.Expr:
        """Moments since 1970 UTC; a rank as it is."""
        column = pl.col(self.column)
        if self.read_as == "datetime":
            column = column.str.to_datetime(time_unit="us", time_zone="UTC")
        if self.unit == "datetime":
            return column.cast(pl.Datetime("us")).dt.epoch("us")
        return column.cast(pl.Int64) * (US_PER_S // TICKS_PER_S.get(self.unit, US_PER_S))


def key_column(columns: Mapping[str, Column], role: str, hints: tuple[str, ...], given: str | None, taken: Collection[str]) -> str:
    """The id column of a role, "user" or "item".

    Args:
        hints: words that its name may hold, most telling first.
        given: what the reader says it is; None = guess.
        taken: columns that have another role.
    Raises:
        DataError: there is no such column, or none whose name tells.
    """
    if given is not None:
        return _named_column(given, columns, f"--{role}")
    foreign = {name: [word for word in words(name) if word not in (*hints, *KEY_WORDS)] for name in columns}

    def doubt(name: str) -> tuple:
        name_words = words(name)
        return (
            len(foreign[name]),
            len(name_words) > 1 and name_words[-1] not in KEY_WORDS,
            min(hints.index(word) for word in name_words if word in hints),
        )

    named = [
        name
        for name, column in columns.items()
        if name not in taken
        and set(words(name)) & set(hints)
        and (words(name)[-1] in KEY_WORDS or foreign[name] in ([], ["name"]))  # user_feature_0 describes a user
        and _can_be_key(column)
    ]
    if not named:
        raise DataError(Fault(f"no column looks like the id of the {role}", f"columns {', '.join(columns)}", f"name it: --{role} COLUMN"))
    return min(named, key=doubt)


def _named_column(given: str, columns: Iterable[str], where: str) -> str:
    if given not in columns:
        raise DataError(Fault(f"no column '{given}'{nearest(given, columns)}", where, f"use one of {', '.join(columns)}"))
    return given


def _can_be_key(column: Column) -> bool:
    return column.dtype == pl.String or ((column.dtype.is_integer() or is_whole(column)) and not column.binary)


def is_whole(column: Column) -> bool:
    """Whether a float column holds whole numbers only, as ids do where some are missing."""
    return column.dtype.is_float() and bool((column.sample == column.sample.floor()).all())


def time_column(columns: Mapping[str, Column], given: str | None, taken: Collection[str], now_s: float) -> Time | None:
    """The column that orders a user's rows, or None. A calendar comes before a rank, then the most telling name.

    Args:
        given, taken: as in `key_column`; a DataError says that the given column does not exist, or orders nothing.
        now_s: seconds since 1970; moments after tomorrow are no time of interactions.
    """
    if given is not None:
        time = _as_time(columns[_named_column(given, columns, "--time")], now_s, any_number=True)
        if time is None:
            what, remedy = f"column '{given}' is {columns[given]}", "name dates or numbers with few missing values"
            raise DataError(Fault(what, f"--time {given}", remedy))
        return time
    candidates: list[tuple[bool, int, int, Time]] = []
    for name, column in columns.items():
        name_words = words(name)
        hints = [TIME_WORDS.index(word) for word in name_words if word in TIME_WORDS]
        if name in taken or not (hints or column.dtype.is_temporal()):
            continue
        time = _as_time(column, now_s, any_number=set(name_words) <= {*TIME_WORDS, *BESIDE_TIME})
        if time is not None:
            candidates.append((time.unit == "rank", min(hints, default=len(TIME_WORDS)), len(candidates), time))
    return min(candidates)[-1] if candidates else None


def _as_time(column: Column, now_s: float, *, any_number: bool) -> Time | None:
    """Time that a column tells, or None. `any_number`: numbers without a calendar count as ranks."""
    if column.nulls > MAX_MISSING * column.rows or column.not_finite or column.binary or column.distinct < 2:
        return None
    if column.dtype == pl.String:
        moments = column.sample.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)
        return None if moments.null_count() else _calendar_time(column, moments, now_s, "text that reads as dates", "datetime")
    if is_date(column.dtype):
        return _calendar_time(column, pl.Series([column.low, column.high]), now_s, column.type_name, None)
    if not column.dtype.is_integer() and not is_whole(column):
        return None
    read_as = None if column.dtype.is_integer() else "int64"
    for unit, ticks in TICKS_PER_S.items():
        if PLAUSIBLE_S[0] * ticks <= column.low and column.high <= (now_s + DAY_S) * ticks:
            since, until = pl.from_epoch(pl.Series([column.low, column.high]).cast(pl.Int64) // ticks, time_unit="s").dt.date()
            return Time(column.name, unit, f"{column.type_name}, {since} to {until} as {unit} since 1970", read_as)
    if not any_number:
        return None
    return Time(column.name, "rank", f"{column.type_name}, {column.low:,} to {column.high:,}: orders rows, no calendar after 2000", read_as)


def _calendar_time(column: Column, moments: pl.Series, now_s: float, what: str, read_as: str | None) -> Time | None:
    first, last = moments.min(), moments.max()
    low_s, high_s = pl.Series([first, last]).cast(pl.Datetime("us")).dt.epoch("s")
    if high_s > now_s + DAY_S:
        return None  # a delivery, an end of validity
    why = f"{what}, {str(first)[:10]} to {str(last)[:10]}"
    if low_s < PLAUSIBLE_S[0]:
        return Time(column.name, "rank", f"{why}: orders rows, no calendar before 2000", read_as)
    return Time(column.name, "datetime", why, read_as)


def label_columns(table: pl.LazyFrame, columns: Mapping[str, Column], taken: Collection[str]) -> tuple[Label, ...]:
    """0/1 columns with the name of something to predict, most frequent first.

    A label is `given` the rarest more frequent one without which it never is 1: a conversion is given the click.
    """
    named = [name for name in columns if name not in taken and set(words(name)) & set(LABEL_WORDS)]
    names = [name for name in named if columns[name].binary and columns[name].distinct == 2]
    if not names:
        return ()
    ones = dict(zip(names, table.select(pl.col(name).cast(pl.Int64).sum() for name in names).collect(engine="streaming").row(0)))
    names.sort(key=ones.__getitem__, reverse=True)
    pairs = [(later, earlier) for later, earlier in permutations(names, 2) if ones[later] < ones[earlier]]
    broken = [((pl.col(later) == 1) & (pl.col(earlier) == 0)).sum().alias(str(pair)) for pair in pairs for later, earlier in [pair]]
    counts = table.select(pl.col(names).cast(pl.Int8)).select(broken).collect(engine="streaming").row(0) if pairs else ()
    implies = {pair for pair, count in zip(pairs, counts) if not count}
    given = {name: [other for other in names if (name, other) in implies] for name in names}
    return tuple(Label(name, others[-1] if others else None) for name, others in given.items())


def split_column(columns: Mapping[str, Column]) -> str | None:
    """A text column that says train, validation or test of every row; None where there is none."""
    for name, column in columns.items():
        if column.dtype == pl.String and not column.nulls and column.distinct <= len(GIVEN):
            values = set(column.sample.unique())
            if values <= set(GIVEN) and {"train", "test"} <= values:
                return name
    return None
