"""What the raw column of each feature kind must hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch

import polars as pl

from recsys.data.check.rules import (
    ASIDE,
    TEXT_FAULT,
    Check,
    Dtypes,
    Rule,
    Tally,
    as_list,
    as_number,
    broken_text,
    category_checks,
    is_category,
    is_date,
    is_list,
    is_number,
    text_remedy,
)
from recsys.data.store.columns import TICKS_PER_S
from recsys.schema import Categorical, Feature, MultiCategorical, Numeric, Timestamp, TimeUnit, Vector

KEY = "data.features"
FLOAT32_MAX = 3.4028235e38
"""The store keeps numbers as float32; larger ones would become infinite."""


@dataclass(frozen=True)
class CategoricalRule(Rule):
    """A string, integer or boolean; null is unknown."""

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_category(dtype):
            return None
        return self.cast("int64") + " or declare it Numeric in data.features" if dtype.is_float() else self.cast("string")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        yield from category_checks(self.column, dtypes[self.column])


@dataclass(frozen=True)
class MultiCategoricalRule(Rule):
    """A list of strings, integers or booleans; an empty or missing list has no values."""

    max_len: int

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_list(dtype) and is_category(dtype.inner):
            return None
        if dtype == pl.String:
            return f"set data.source.lists.{self.column}='|' (what separates its values), or declare it Categorical in data.features"
        return f"rewrite the file with pl.col('{self.column}').cast(pl.List(pl.String))"

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        dtype = dtypes[self.column]
        if self.type_remedy(dtype) is not None:
            return
        values = as_list(self.column, dtype)
        has_null = values.list.drop_nulls().list.len() < values.list.len()
        remedy = f"rewrite the file with pl.col('{self.column}').list.drop_nulls(), {ASIDE}"
        yield Check(self.column, "null inside a list", has_null, remedy, values.list.head(5))
        if dtype.inner == pl.String:
            broken = values.list.eval(broken_text(pl.element())).list.any()
            shown = values.list.head(5).list.eval(pl.element().str.head(40))
            yield Check(self.column, TEXT_FAULT, broken, text_remedy(self.column), shown)

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        dtype = dtypes[self.column]
        if self.type_remedy(dtype) is None:
            cut = f"{{count:,}} of {{rows:,}} lists in '{self.column}' are longer than max_len={self.max_len} and are cut to that"
            yield Tally(cut, (as_list(self.column, dtype).list.len() > self.max_len).sum())


@dataclass(frozen=True)
class NumericRule(Rule):
    """A finite number in the declared range; missing only where `fill` says what stands for it."""

    feature: Numeric

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        return None if is_number(dtype) else self.cast("float64")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        dtype = dtypes[self.column]
        if not is_number(dtype):
            return
        column, finite = as_number(self.column, dtype), pl.lit(True)
        if self.feature.fill is None:
            remedy = f"set fill on feature '{self.column}' in data.features, {ASIDE}"
            yield Check(self.column, "missing number", column.is_null(), remedy)
        if dtype.is_float():
            finite = column.is_finite() & (column.abs() <= FLOAT32_MAX)
            remedy = f"rewrite the file with pl.col('{self.column}').fill_nan(None) and set fill on the feature in data.features, {ASIDE}"
            yield Check(self.column, "number that is NaN, infinite or beyond float32", ~finite, remedy, column)
        yield from self._range(column, finite)

    def _range(self, column: pl.Expr, finite: pl.Expr) -> Iterator[Check]:
        low, high = self.feature.low, self.feature.high
        remedy = f"correct the values, or change low and high of feature '{self.column}' in data.features, {ASIDE}"
        if low is not None:
            yield Check(self.column, f"number below low={low:g}", (column < low) & finite, remedy, column)
        if high is not None:
            yield Check(self.column, f"number above high={high:g}", (column > high) & finite, remedy, column)

    def tallies(self, dtypes: Dtypes) -> Iterator[Tally]:
        if is_number(dtypes[self.column]):
            column = as_number(self.column, dtypes[self.column])
            yield Tally(f"feature '{self.column}' holds one value only and tells a model nothing", column.min() == column.max())


@dataclass(frozen=True)
class VectorRule(Rule):
    """A list of finite numbers, of one width in all rows."""

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_list(dtype) and is_number(dtype.inner):
            return None
        return f"rewrite the file with pl.col('{self.column}').cast(pl.List(pl.Float32))"

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        dtype = dtypes[self.column]
        if self.type_remedy(dtype) is not None:
            return
        values = as_list(self.column, dtype)
        width = values.list.len()
        remedy = f"compute these vectors again, {ASIDE}"
        yield Check(self.column, "missing vector", values.is_null(), remedy)
        yield Check(self.column, "vector of another width than most", width != width.drop_nulls().mode().max(), remedy, width)
        # One bad entry makes the sum NaN or infinite; a null does not count in it.
        broken = ~values.list.sum().cast(pl.Float64).is_finite() | (values.list.drop_nulls().list.len() < width)
        yield Check(self.column, "null, NaN or infinity in a vector", broken, remedy, values.list.head(5))


@dataclass(frozen=True)
class TimestampRule(Rule):
    """A moment: a Date, a Datetime, or an integer in data.time_unit."""

    unit: TimeUnit

    def type_remedy(self, dtype: pl.DataType) -> str | None:
        if is_date(dtype) or (dtype.is_integer() and self.unit in TICKS_PER_S):
            return None
        return f"rewrite the file with pl.from_epoch('{self.column}', time_unit='s')" if dtype.is_integer() else self.cast("datetime")

    def checks(self, dtypes: Dtypes) -> Iterator[Check]:
        yield Check(self.column, "missing time", pl.col(self.column).is_null(), f"write a time or drop the rows, {ASIDE}")


@singledispatch
def feature_rule(feature: Feature, unit: TimeUnit) -> Rule | None:
    """The rule of a feature's raw column; None for a History, which has no column of its own."""
    return None


@feature_rule.register
def _(feature: Categorical, unit: TimeUnit) -> Rule:
    return CategoricalRule(feature.column, "Categorical feature", KEY)


@feature_rule.register
def _(feature: MultiCategorical, unit: TimeUnit) -> Rule:
    return MultiCategoricalRule(feature.column, "MultiCategorical feature", KEY, feature.max_len)


@feature_rule.register
def _(feature: Numeric, unit: TimeUnit) -> Rule:
    return NumericRule(feature.column, "Numeric feature", KEY, feature)


@feature_rule.register
def _(feature: Vector, unit: TimeUnit) -> Rule:
    return VectorRule(feature.column, "Vector feature", KEY)


@feature_rule.register
def _(feature: Timestamp, unit: TimeUnit) -> Rule:
    return TimestampRule(feature.column, "Timestamp feature", KEY, unit)
