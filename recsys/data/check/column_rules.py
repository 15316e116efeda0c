"""Rules of the columns that the schema reads from a table: ids, labels and time here, features in `recsys.schema.kind`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from recsys.errors import DataError, Fault
from recsys.schema import Entity, Label, Schema, TimeUnit
from recsys.schema.kind.timestamp import CALENDAR_S, DAY_US, PLAUSIBLE_S, UNITS, epoch_us, is_date, within
from recsys.schema.raw import ASIDE, Check, Dtypes, Rule, Tally, as_number, cast_remedy, category_checks, is_category, is_finite, is_number

LARGEST_EXACT = 2**53
"""float64 cannot tell larger integers apart."""
ENTITY: dict[str, Entity] = {"users": "user", "items": "item"}
"""{table: whose features stand in it}."""


def table_rules(schema: Schema, table: str, tables: Iterable[str], now_us: int) -> list[Rule]:
    """Rules of the columns that the schema reads from "interactions", "users" or "items".

    Features of a users or items table that is not among `tables` are read from the interactions. Interactions after `now_us`, in
    microseconds since 1970 UTC, are faults.
    """
    unique = table != "interactions"
    keys = {} if schema.user is None else {"users": IdRule(schema.user, "user id", "data.user", unique)}
    if schema.item is not None:
        keys["items"] = IdRule(schema.item, "item id", "data.item", unique)
    if unique:
        if table not in keys:
            key = f"data.{ENTITY[table]}"
            raise DataError(Fault(f"a table of {table}, and {key} is null", f"data.source.{table}", f"name its key in {key}"))
        return [keys[table], *_feature_rules(schema, ENTITY[table])]
    rules: list[Rule] = list(keys.values())
    if schema.time is not None:
        rules.append(TimeRule(schema.time, "time", "data.time", schema.time_unit, now_us))
    rules += [LabelRule(label.column, "label", "data.labels", label) for label in schema.labels]
    if schema.session is not None:
        rules.append(IdRule(schema.session, "session", "data.session", unique=False))
    return rules + _feature_rules(schema, "context", "bias", *(entity for name, entity in ENTITY.items() if name not in tables))


def _feature_rules(schema: Schema, *entities: Entity) -> list[Rule]:
    covered = {schema.user, schema.item}
    if schema.time_unit != "rank":  # a Timestamp feature of a rank has no calendar: its own rule says so
        covered.add(schema.time)
    rules = [feature.rule(schema.time_unit) for feature in schema.of(*entities) if feature.column not in covered]
    return [rule for rule in rules if rule is not None]


@dataclass(frozen=True)
class IdRule(Rule):
    """A user or item id: a string or an integer from 0, never missing; `unique` as key of its table, where no two rows share an id."""

    unique: bool

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if dtype.is_float():
            return cast_remedy(self.column, "int64") + "; float ids lose precision above 2^53"
        return None if is_category(dtype) and dtype != pl.Boolean else cast_remedy(self.column, "string")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        column, dtype = pl.col(self.column), dtypes[self.column]
        missing = column.is_null()
        if dtype.is_float():
            missing |= column.is_nan()
        if dtype == pl.String:
            missing |= column == ""
        yield _missing_check(self.column, "missing id", missing)
        if dtype.is_signed_integer():
            remedy = f"give these rows their real id or drop them with filter(pl.col('{self.column}') >= 0), {ASIDE}"
            yield Check(self.column, "negative id", column < 0, remedy, column)
        if self.unique:
            again = column.is_not_null() & ~column.is_first_distinct()
            remedy = f"keep one row per id with unique(subset='{self.column}'), {ASIDE}: the first row is kept"
            yield Check(self.column, "id that an earlier row has", again, remedy, column)
        if dtype.is_float():
            inexact = column.is_not_nan() & ((column != column.floor()) | (column.abs() > LARGEST_EXACT))
            remedy = "export the ids as Int64 or String from where they come: the float has lost them"
            yield Check(self.column, "float id that is no exact integer", inexact, remedy, column)
        yield from category_checks(self.column, dtype)


@dataclass(frozen=True)
class LabelRule(Rule):
    """0, 1, false, true (of a regression, any finite number), or null where it is missing; never set where the label it is given is 0."""

    label: Label

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_number(dtype):
            return None
        if self.label.kind == "regression":
            return cast_remedy(self.column, "float64") + "; the label is a regression"
        return cast_remedy(self.column, "int64") + "; a label is 0, 1, false, true or null"

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        dtype = dtypes[self.column]
        if not is_number(dtype):
            return
        column = as_number(self.column, dtype)
        if self.label.kind == "binary":
            remedy = f"map the values to 0 and 1, null where missing, e.g. (pl.col('{self.column}') > 0).cast(pl.Int8), {ASIDE}"
            yield Check(self.column, "label other than 0, 1, false, true or null", (column != 0) & (column != 1), remedy, column)
        elif dtype.is_float():  # other numbers are finite, and Polars cannot ask some of them
            remedy = f"replace NaN and infinity, e.g. with null where the value is missing, {ASIDE}"
            yield Check(self.column, "label that is NaN, infinite or beyond float32", ~is_finite(column), remedy, column)
        impossible = self._impossible_rows(dtypes)
        if impossible is not None and self.label.policy != "clip":
            given = self.label.given
            remedy = f"correct '{given}' in these rows, set policy: drop or clip, or remove 'given: {given}' from data.labels, {ASIDE}"
            yield Check(self.column, self._contradiction(), impossible, remedy, drop=self.label.policy == "drop")

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        impossible = self._impossible_rows(dtypes)
        if impossible is not None and self.label.policy == "clip":
            yield Tally(f"{{count:,}} of {{rows:,}} rows have {self._contradiction()}: taken for 0", impossible.sum())

    def clip_expression(self, dtypes: Dtypes) -> pl.Expr | None:
        """The column with 0 in impossible rows, where the policy says so; None = as it is."""
        impossible = self._impossible_rows(dtypes)
        if impossible is None or self.label.policy != "clip":
            return None
        return pl.when(impossible).then(0).otherwise(pl.col(self.column)).alias(self.column)

    def _impossible_rows(self, dtypes: Dtypes) -> pl.Expr | None:
        """Rows where the label is set and the one it is given is 0; None where the columns do not show it."""
        given = self.label.given
        if given is None or not all(column in dtypes and is_number(dtypes[column]) for column in (self.column, given)):
            return None
        return (as_number(self.column, dtypes[self.column]) != 0) & (as_number(given, dtypes[given]) == 0)

    def _contradiction(self) -> str:
        value = "=1" if self.label.kind == "binary" else " other than 0"
        return f"{self.column}{value} where {self.label.given}=0, though {self.column} is given {self.label.given}"


@dataclass(frozen=True)
class TimeRule(Rule):
    """Moment of a row, where numbers count `unit`: never missing, from 1970 to 2100, not after `now_us`, microseconds since 1970 UTC."""

    unit: TimeUnit
    now_us: int

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_date(dtype):
            return None if self.unit in ("datetime", "rank") else "set data.time_unit=datetime"
        if dtype.is_integer() or (dtype.is_float() and self.unit in UNITS):
            return None  # under "datetime" the values tell which unit to set: see `_unit_checks`
        return cast_remedy(self.column, "datetime" if dtype == pl.String else "int64")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        column, dtype = pl.col(self.column), dtypes[self.column]
        column = column.fill_nan(None) if dtype.is_float() else column
        yield _missing_check(self.column, "missing time", column.is_null())
        if self.unit == "rank":
            return
        if is_date(dtype):
            yield from self._moment_checks(column, dtype, within(column.cast(pl.Datetime("us")).dt.epoch("us"), "us", CALENDAR_S))
        elif dtype.is_numeric():
            numbers = column if dtype.is_float() else column.cast(pl.Int64, strict=False)
            yield from self._unit_checks(column, numbers)
            known = pl.any_horizontal(within(numbers, unit, PLAUSIBLE_S) for unit in UNITS)
            own = within(numbers, self.unit, CALENDAR_S) if self.unit in UNITS else pl.lit(False)
            yield from self._moment_checks(column, dtype, own | known)

    def _unit_checks(self, column: pl.Expr, numbers: pl.Expr) -> Iterator[Check]:
        for unit in UNITS:
            if unit != self.unit:
                what = f"number that lies between 1985 and 2100 as {unit}, not as {self.unit}"
                remedy = f"set data.time_unit={unit}; if only some files are in {unit}, bring all to one unit"
                yield Check(self.column, what, within(numbers, unit, PLAUSIBLE_S), remedy, column)

    def _moment_checks(self, column: pl.Expr, dtype: pl.DataType, good: pl.Expr) -> Iterator[Check]:
        """A moment of the calendar, not in the future; 1970-01-01 00:00 stands for a missing one where others are after 1985."""
        moment = epoch_us(column, dtype, self.unit)
        placeholder = (moment == 0) & (moment.max() > PLAUSIBLE_S[0] * 1_000_000)
        remedy = f"correct these times, or set data.time_unit=rank if only their order matters, {ASIDE}"
        yield Check(self.column, "time outside 1970 to 2100", ~good | placeholder, remedy, column)
        if is_date(dtype) or self.unit in UNITS:
            remedy = f"correct the clock or time zone behind these rows, {ASIDE}"
            future = good & (moment > self.now_us + DAY_US) & (moment < CALENDAR_S[1] * 1_000_000)
            yield Check(self.column, "time in the future", future, remedy, column)


def _missing_check(column: str, what: str, missing: pl.Expr) -> Check:
    return Check(column, what, missing, f"drop the rows with filter(pl.col('{column}').is_not_null()), {ASIDE}")
