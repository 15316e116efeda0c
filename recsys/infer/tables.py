"""Draft a data set's config from its raw tables: the role and kind of each column, and the reason. `python -m recsys.infer` writes it."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import polars as pl

from recsys.errors import DataError, Fault
from recsys.infer.clock import Time, time_column
from recsys.infer.columns import SAMPLE_ROWS, Column, Guess, guess, table_columns
from recsys.infer.labels import label_columns
from recsys.infer.names import ITEM_WORDS, USER_WORDS
from recsys.infer.roles import key_column, split_column
from recsys.schema import Entity, Label, TimeUnit, nearest
from recsys.schema.kind.timestamp import DAY_US

ROWS_PER_ENTITY = 2
"""With fewer interactions per user or item, a column that never changes within one of them says little about whose it is."""
MIN_CONSTANT = 0.99
"""Share of users or items with a single value that makes a column of the interactions theirs; the first row then describes each."""
SPLIT = "recsys.data.split"

Columns: TypeAlias = Mapping[str, Column]
"""{name: column} of a table."""


@dataclass(frozen=True)
class Line:
    """One column of the feature list; `used` is False where it is only proposed, or left out."""

    column: str
    entity: Entity
    guess: Guess
    used: bool


@dataclass(frozen=True)
class Draft:
    """Content of a yaml of `conf/data`."""

    user: str | None  # as in Schema
    item: str | None  # as in Schema
    time: Time | None
    labels: tuple[Label, ...]  # as in Schema
    positive: str | None  # as in Schema
    lines: tuple[Line, ...]  # the features in order, and after them the columns that are proposed or left out
    split: Mapping[str, object]  # its node
    bad_rows: str  # "fail" or "quarantine"
    why: Mapping[str, str]  # the reason in one line, by "user", "item", "split", "bad_rows" and each label
    users: str | None = None  # names of these tables among those that `infer` was given; None = there is none
    items: str | None = None  # names of these tables among those that `infer` was given; None = there is none
    types: Mapping[str, str] = field(default_factory=dict)  # as `TableFiles` takes them
    formats: Mapping[str, str] = field(default_factory=dict)  # as `TableFiles` takes them
    lists: Mapping[str, str] = field(default_factory=dict)  # as `TableFiles` takes them


@dataclass(frozen=True)
class Roles:
    """What the reader says of columns of the interactions, so that it need not be left to a guess."""

    user: str | None = None  # "null" = rows name no user
    item: str | None = None  # likewise
    time: str | None = None  # likewise
    time_unit: TimeUnit | None = None
    labels: Collection[str] = ()
    not_labels: Collection[str] = ()


def infer(tables: Mapping[str, pl.LazyFrame], *, now_s: float, roles: Roles = Roles()) -> Draft:
    """Guess the role and kind of every column.

    Args:
        tables: {name for messages: table}: the interactions first, then the users, the items, both or none, in any order.
        now_s: seconds since 1970; no interaction is later.
    Raises:
        DataError: no column looks like the user or the item, or a table does not belong to the interactions.
    """
    columns_by_table = {name: table_columns(table) for name, table in tables.items()}
    main, table = next(iter(tables.items()))
    columns = columns_by_table[main]
    named = {column for column in (roles.user, roles.item, roles.time) if column is not None}
    user = key_column(columns, "user", USER_WORDS, roles.user, named)
    item = key_column(columns, "item", ITEM_WORDS, roles.item, named | ({user} if user else set()))
    keys: dict[Entity, str] = {entity: key for entity, key in (("user", user), ("item", item)) if key is not None}  # type: ignore[misc]
    sides = _side_tables({name: own for name, own in columns_by_table.items() if name != main}, keys)
    moment = time_column(columns, roles.time, {*keys.values()}, now_s, roles.time_unit)
    parts = split_column(columns)
    taken = {*keys.values(), *([parts] if parts else []), *([moment.column] if moment else [])}
    labels = label_columns(table, columns, taken | set(roles.not_labels), roles.labels)
    positive = labels[0].column if labels else None
    taken |= {label.column for label in labels}
    side_columns = {entity: columns_by_table[name] for entity, name in sides.items()}
    lines = tuple(_lines(table, columns, side_columns, keys, taken=taken, ordered=moment is not None))
    split, split_why = _split(table, user, moment, positive, parts, columns)
    bad_rows, bad_why = _bad_rows([columns[key] for key in keys.values()], columns, moment)
    types = _key_types(columns_by_table.values(), tuple(keys.values()))
    types |= {moment.column: moment.read_as} if moment and moment.read_as else {}
    why = {"user": "rows name no user", "item": "rows name no item", "split": split_why, "bad_rows": bad_why}
    why |= {entity: f"{columns[key]}" for entity, key in keys.items()} | {label.column: f"{columns[label.column]}" for label in labels}
    lists = {line.column: line.guess.separator for line in lines if line.used and line.guess.separator}
    names = {f"{entity}s": name for entity, name in sides.items()}
    formats = {moment.column: moment.written} if moment and moment.written else {}
    return Draft(user, item, moment, labels, positive, lines, split, bad_rows, why, **names, types=types, formats=formats, lists=lists)


def _side_tables(columns_by_table: Mapping[str, Columns], keys: Mapping[Entity, str]) -> dict[Entity, str]:
    """{"user" | "item": name of its table}, by the id column that a table has, one row for each id."""
    sides: dict[Entity, str] = {}
    for name, columns in columns_by_table.items():
        ids = {entity: columns[key] for entity, key in keys.items() if key in columns}
        unique = [entity for entity, column in ids.items() if column.nulls == 0 and column.distinct == len(column.sample)]
        if not ids:
            names = " or ".join(f"'{key}'" for key in keys.values())
            close = next(filter(None, (nearest(key, columns) for key in keys.values())), "")
            remedy = f"rename its id column to {names}, or say --user or --item"
            raise DataError(Fault(f"no column {names}{close}", f"{name}, columns {', '.join(columns)}", remedy))
        if not unique:
            counts = ", ".join(f"'{column.name}': {column}" for column in ids.values())
            raise DataError(Fault(f"ids are missing or repeated ({counts})", name, "keep one row for each id"))
        if unique[0] in sides:
            raise DataError(Fault(f"two tables of {unique[0]}s", f"{sides[unique[0]]}, {name}", "give one table of each kind"))
        sides[unique[0]] = name
    return sides


def _lines(
    table: pl.LazyFrame, columns: Columns, sides: Mapping[Entity, Columns], keys: Mapping[Entity, str], *, taken: set[str], ordered: bool
) -> Iterator[Line]:
    """Lines of the features; those that are only proposed or left out come last.

    Args:
        sides: columns of the users' and the items' own tables, where they exist.
        taken: columns of the interactions that have a role.
        ordered: a time column orders each user's rows, so there can be a history.
    """
    rest = {name: column for name, column in columns.items() if name not in taken}
    taken, left_out = set(taken), []
    for entity, key in keys.items():
        yield Line(key, entity, Guess(f"{columns[key]}: id of the {entity}", "Categorical"), used=True)
        shares = {} if entity in sides else _constant_within(table, columns[key], rest)
        own = {name: rest.pop(name) for name in shares} or {name: column for name, column in sides.get(entity, {}).items() if name != key}
        for name, column in own.items():
            guessed = _guess(column, taken)
            if name in shares:
                guessed = replace(guessed, why=f"{guessed.why}; one value for {shares[name]:.1%} of the {entity}s")
            if guessed.kind is None:
                left_out.append(Line(name, entity, guessed, used=False))
            else:
                taken.add(name)
                yield Line(name, entity, guessed, used=True)
        if entity == "user" and ordered and "item" in keys:
            name = "history" if "history" not in columns else f"history_of_{keys['item']}"
            yield Line(name, entity, Guess("the user's earlier items", "History", {"of": keys["item"], "max_len": 50}), used=True)
    yield from left_out
    yield from (Line(name, "context", _guess(column, taken), used=False) for name, column in rest.items())


def _guess(column: Column, taken: Collection[str]) -> Guess:
    return Guess(f"{column}: another column has this name") if column.name in taken else guess(column)


def _constant_within(table: pl.LazyFrame, key: Column, columns: Columns) -> dict[str, float]:
    """{column: share of ids with one value} of the columns by which interactions describe the user or item itself."""
    names = [name for name, column in columns.items() if not column.dtype.is_nested() and column.distinct > 1]
    if not names or len(key.sample) < ROWS_PER_ENTITY * key.distinct:
        return {}
    values = table.head(SAMPLE_ROWS).drop_nulls(key.name).group_by(key.name).agg(pl.col(names).n_unique())
    shares = values.select((pl.col(names) == 1).mean()).collect(engine="streaming").row(0, named=True)
    return {name: share for name, share in shares.items() if share >= MIN_CONSTANT}


def _key_types(tables: Iterable[Columns], keys: tuple[str, ...]) -> dict[str, str]:
    """Types that make ids comparable: text where one table has text, whole numbers where one has floats."""
    tables, types = tuple(tables), {}
    for key in keys:
        dtypes = [columns[key].dtype for columns in tables if key in columns]
        if any(dtype == pl.String for dtype in dtypes) and not all(dtype == pl.String for dtype in dtypes):
            types[key] = "string"
        elif any(dtype.is_float() for dtype in dtypes):
            types[key] = "int64"
    return types


def _bad_rows(keys: list[Column], columns: Columns, moment: Time | None) -> tuple[str, str]:
    needed = [*keys, *([columns[moment.column]] if moment else [])]
    reasons = [f"{column.nulls:,} rows without {column.name}" for column in needed if column.nulls]
    reasons += [f"negative {column.name}" for column in keys if column.dtype.is_numeric() and column.low < 0]
    reasons += [f"{moment.strange:,} rows whose {moment.column} is no moment"] if moment and moment.strange else []
    return ("quarantine", f"{', '.join(reasons)}: set aside and counted") if reasons else ("fail", "fail | quarantine")


def _split(
    table: pl.LazyFrame, user: str | None, moment: Time | None, positive: str | None, parts: str | None, columns: Columns
) -> tuple[dict[str, object], str]:
    if parts is not None:
        has_val = bool({"val", "valid", "validation"} & set(columns[parts].sample.unique()))
        why = f"column '{parts}' says it" + ("" if has_val else "; validation is a tenth of each user's training rows")
        return {"_target_": f"{SPLIT}.Given", "column": parts, "val_share": 0.0 if has_val else 0.1, "seed": 0}, why
    rows = table if positive is None else table.filter(pl.col(positive) == 1)
    if moment is not None and moment.unit != "rank":
        days = _last_tenths(rows, moment.microseconds(columns[moment.column].dtype))
        if days is not None:
            node = {"_target_": f"{SPLIT}.Temporal", "val_days": days[0], "test_days": days[1]}
            return node, "about the last two tenths of the positives"
    if moment is not None and user is not None and rows.group_by(user).len().select((pl.col("len") >= 3).any()).collect().item():
        why = "order without a calendar" if moment.unit == "rank" else "too few days for a cut in time"
        return {"_target_": f"{SPLIT}.LeaveOneOut"}, f"each user's last positive is test, the one before it validation: {why}"
    return {"_target_": f"{SPLIT}.Ratio", "val_share": 0.1, "test_share": 0.1, "seed": 0}, "at random: nothing is known of order"


def _last_tenths(rows: pl.LazyFrame, time: pl.Expr) -> tuple[int, int] | None:
    """Whole days of validation and test, about a tenth of the rows each; None when the days are too few for three parts.

    `time` are microseconds since 1970.
    """
    eighth, ninth, last = rows.select(time.quantile(0.8).alias("8"), time.quantile(0.9).alias("9"), time.max()).collect().row(0)
    test = max(math.ceil((last - ninth) / DAY_US), 1)
    val = max(math.ceil((last - eighth) / DAY_US) - test, 1)
    test_at, val_at = last + 1 - test * DAY_US, last + 1 - (test + val) * DAY_US
    parts = {"train": time < val_at, "val": (time >= val_at) & (time < test_at), "test": time >= test_at}
    train_rows, *held_out = rows.select(part.sum().alias(name) for name, part in parts.items()).collect().row(0)
    return (val, test) if train_rows > sum(held_out) and min(held_out) > 0 else None
