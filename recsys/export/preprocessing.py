"""The part of a served graph from raw columns to the inputs of a tower. B rows, L list length.

Every input is a raw column under its own name. Missing is "" in a string column and the smallest int64 in an integer column
(booleans are integers 0 and 1), NaN in a Numeric; the first two also pad lists on the right. Every index that leaves this part
is inside its table, whatever comes in: a vocabulary look-up answers 1 (unknown) by default, a hash is taken modulo its buckets.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from recsys.errors import Fault, IntegrityError
from recsys.schema import FIRST_KNOWN, PAD, UNKNOWN, Categorical, Feature, History, MultiCategorical, Numeric, Schema, Timestamp, Vector
from recsys.schema.kind.timestamp import DAY_S, DIGITS, HOUR_S, raw_moments, ticks_per_s

MISSING_STRING = ""
MISSING_INTEGER = -(2**63)
DAYS_TO_1970 = 719_469
"""Days from 1 March of the year 0 to 1970-01-01, and one, as days of a month count from 1."""
MISSING_MOMENT = 0
"""What the prepared data holds for a missing Timestamp: 1970."""


class Graph:
    """Nodes, inputs and constants of a graph under construction; every value is a name, `scope` a prefix of the names made up here."""

    def __init__(self, scope: str):
        self.scope = scope
        self.inputs: list[ValueInfoProto] = []
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def input(self, name: str, element: int, shape: list[str | int]) -> str:
        """A graph input of this element type (a `TensorProto` constant) and shape."""
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, values: np.ndarray) -> str:
        """A constant; an object array holds strings."""
        name = f"{self.scope}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def integer(self, *values: int) -> str:
        """A constant int64 [len(values)]."""
        return self.constant(np.array(values, np.int64))

    def add(self, operator: str, *inputs: str, output: str | None = None, domain: str = "", **attributes) -> str:
        """One node with one output; returns the output's name."""
        name = output or f"{self.scope}{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes))
        return name


def missing(dtype: str) -> str | int:
    """The value that says "missing", and pads lists, in a raw column of this `Statistics.dtype`."""
    return MISSING_STRING if dtype == "string" else MISSING_INTEGER


def id_dtype(ids: pl.Series) -> str:
    """Raw type of entity ids, as `Statistics.dtype` names it."""
    return "string" if ids.dtype == pl.String else "int64"


def element_type(dtype: str) -> int:
    """Element type of a raw id or category of this `Statistics.dtype`: string, else int64."""
    return TensorProto.STRING if dtype == "string" else TensorProto.INT64


def raw_array(values: pl.Series | list, dtype: str) -> np.ndarray:
    """Raw ids or categories as a graph takes them: object array of strings, or int64; null becomes `missing(dtype)`."""
    filled = pl.Series(values).cast(pl.String if dtype == "string" else pl.Int64).fill_null(missing(dtype)).to_numpy()
    return filled.astype(object) if dtype == "string" else filled


def raw_numbers(feature: Feature, values: np.ndarray, schema: Schema) -> np.ndarray:
    """[N, ...] numbers, vectors or moments of the store as a graph takes them: moments in the unit of the raw column."""
    return raw_moments(values, schema.statistics[feature.column].unit) if isinstance(feature, Timestamp) else values


def raw_lists(lists: Sequence[Sequence[Any] | None], dtype: str) -> np.ndarray:
    """[N, L] raw lists as a graph takes them, padded with `missing(dtype)` on the right; at least one wide. None is an empty list."""
    entries = [row or () for row in lists]
    filled = np.full((len(entries), max([1, *map(len, entries)])), missing(dtype), object if dtype == "string" else np.int64)
    for row, values in enumerate(entries):
        filled[row, : len(values)] = [missing(dtype) if value is None else value for value in values]
    return filled


def label_encoder(graph: Graph, raw: str, keys: np.ndarray, values: np.ndarray, *, default: int) -> str:
    """Values of raw keys of any shape: keys[i] -> values[i], any other key -> default; int64 in the same shape."""
    attribute = {"keys_strings": keys.tolist()} if keys.dtype == object else {"keys_int64s": keys.tolist()}
    return graph.add("LabelEncoder", raw, domain="ai.onnx.ml", values_int64s=values.tolist(), default_int64=default, **attribute)


def read_features(
    graph: Graph, features: tuple[Feature, ...], schema: Schema, vocabularies: Mapping[str, pl.Series], *, prefix: str, batch: str = "batch"
) -> None:
    """Add each feature's raw input under its column name, and the nodes that compute the model's input `<prefix><column>` from it.

    Args:
        vocabularies: {column: raw values by vocabulary index; [0] and [1] are null}, for every column with a vocabulary.
        batch: name of the inputs' first dimension.
    Raises:
        IntegrityError: a vocabulary is not the one that the model's tables were made for.
    """
    if faults := list(_vocabulary_faults(features, schema, vocabularies)):
        raise IntegrityError(*faults)
    for feature in features:
        graph.add("Identity", _value(graph, feature, schema, vocabularies, batch), output=f"{prefix}{feature.column}")


def _value(graph: Graph, feature: Feature, schema: Schema, vocabularies: Mapping[str, pl.Series], batch: str) -> str:
    column = feature.column
    match feature:
        case Numeric():
            return graph.input(column, TensorProto.FLOAT, [batch])
        case Timestamp():
            raw = graph.input(column, TensorProto.INT64, [batch])
            seconds = _seconds(graph, raw, schema.statistics[column].unit)
            return graph.add("Where", _is_missing(graph, raw, "int64"), graph.integer(MISSING_MOMENT), seconds)
        case Vector():
            return graph.input(column, TensorProto.FLOAT, [batch, schema.statistics[column].size])
        case Categorical():
            raw = graph.input(column, element_type(schema.statistics[column].dtype), [batch])
            return _index(graph, raw, column, schema, vocabularies)
        case MultiCategorical():
            index, _, _, width = _lists(graph, feature, schema, vocabularies, batch)
            return graph.add("Slice", index, graph.integer(0), width, graph.integer(1))  # the first entries
        case History():
            index, position, length, width = _lists(graph, feature, schema, vocabularies, batch)
            start = graph.add("Max", graph.add("Sub", length, width), graph.integer(0))  # [B, 1]
            latest = graph.add("Slice", position, graph.integer(0), width)
            return graph.add("GatherElements", index, graph.add("Add", start, latest), axis=1)  # the last entries
    raise AssertionError(f"no served input for {type(feature).__name__}")


def _seconds(graph: Graph, raw: str, unit: str) -> str:
    """Integer moments in the unit of training -> seconds since 1970 UTC, rounded down."""
    if unit not in DIGITS:
        return _floor(graph, raw, ticks_per_s(unit))
    date = raw if unit == "YYYYMMDD" else _floor(graph, raw, 1_000_000)
    year, month, day = _floor(graph, date, 10_000), _digits(graph, date, 100), graph.add("Mod", date, graph.integer(100))
    # Days from civil (Howard Hinnant): years begin in March, so that a leap day is the last of a year.
    march_year = graph.add("Sub", year, _floor(graph, graph.add("Sub", graph.integer(14), month), 12))
    march_month = graph.add("Mod", graph.add("Add", month, graph.integer(9)), graph.integer(12))
    days = _floor(graph, graph.add("Add", graph.add("Mul", march_month, graph.integer(153)), graph.integer(2)), 5)
    days = graph.add("Add", graph.add("Add", days, day), graph.add("Mul", march_year, graph.integer(365)))
    for years, sign in ((4, "Add"), (100, "Sub"), (400, "Add")):
        days = graph.add(sign, days, _floor(graph, march_year, years))
    seconds = graph.add("Mul", graph.add("Sub", days, graph.integer(DAYS_TO_1970)), graph.integer(DAY_S))
    if unit == "YYYYMMDD":
        return seconds
    hours, minutes = _digits(graph, raw, 10_000), _digits(graph, raw, 100)
    seconds = graph.add("Add", seconds, graph.add("Mul", hours, graph.integer(HOUR_S)))
    seconds = graph.add("Add", seconds, graph.add("Mul", minutes, graph.integer(60)))
    return graph.add("Add", seconds, graph.add("Mod", raw, graph.integer(100)))


def _digits(graph: Graph, number: str, place: int) -> str:
    """Two decimal digits of an integer, from the place on."""
    return graph.add("Mod", _floor(graph, number, place), graph.integer(100))


def _floor(graph: Graph, number: str, divisor: int) -> str:
    """Integer quotient, rounded down: ONNX's Div rounds towards zero, and its Mod has the sign of the divisor."""
    if divisor == 1:
        return number
    whole = graph.add("Sub", number, graph.add("Mod", number, graph.integer(divisor)))
    return graph.add("Div", whole, graph.integer(divisor))


def _index(graph: Graph, raw: str, table: str, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> str:
    """Raw values of any shape -> index in the table of column `table`; unknown and missing -> 1."""
    dtype = schema.statistics[table].dtype
    buckets = schema.feature(table).buckets
    if buckets == 0:
        keys = raw_array(vocabularies[table][FIRST_KNOWN:], dtype)
        return label_encoder(graph, raw, keys, np.arange(FIRST_KNOWN, FIRST_KNOWN + len(keys)), default=UNKNOWN)
    digest = graph.add("MurmurHash3", raw, domain="com.microsoft", positive=1, seed=0)
    bucket = graph.add("Mod", graph.add("Cast", digest, to=TensorProto.INT64), graph.integer(buckets))
    index = graph.add("Add", bucket, graph.integer(FIRST_KNOWN))
    return graph.add("Where", _is_missing(graph, raw, dtype), graph.integer(UNKNOWN), index)


def _lists(graph: Graph, feature: Feature, schema: Schema, vocabularies: Mapping[str, pl.Series], batch: str) -> tuple[str, str, str, str]:
    """Raw lists -> index [B, L] in their table, 0 after the last entry, position [L], length [B, 1], width [1] = min(L, max_len)."""
    dtype = schema.statistics[feature.table].dtype
    raw = graph.input(feature.column, element_type(dtype), [batch, f"length of {feature.column}"])
    size = graph.add("Shape", raw, start=1, end=2)  # [1] = L
    zero, one = (graph.constant(np.array(value, np.int64)) for value in (0, 1))
    position = graph.add("Range", zero, graph.add("Squeeze", size), one)  # [L]
    after = graph.add("Add", position, graph.integer(1))
    ends = graph.add("Where", _is_missing(graph, raw, dtype), graph.integer(0), after)  # [B, L]
    length = graph.add("ReduceMax", ends, graph.integer(1), keepdims=1)  # [B, 1], one after the last entry that is no padding
    index = _index(graph, raw, feature.table, schema, vocabularies)
    index = graph.add("Where", graph.add("Less", position, length), index, graph.integer(PAD))  # [B, L]
    return index, position, length, graph.add("Min", size, graph.integer(feature.max_len))


def _is_missing(graph: Graph, raw: str, dtype: str) -> str:
    sentinel = np.array(missing(dtype), object if dtype == "string" else np.int64)
    return graph.add("Equal", raw, graph.constant(sentinel))


def _vocabulary_faults(features: tuple[Feature, ...], schema: Schema, vocabularies: Mapping[str, pl.Series]) -> Iterator[Fault]:
    remedy = "export with the store that the run was trained on (lineage.json in the run directory)"
    for column in dict.fromkeys(feature.table for feature in features if feature.has_table and schema.keeps_vocabulary(feature.table)):
        where, size, sentinel = f"column '{column}'", schema.statistics[column].size, missing(schema.statistics[column].dtype)
        if column not in vocabularies:
            yield Fault("there is no vocabulary", where, remedy)
        elif len(vocabularies[column]) != size:
            yield Fault(f"the vocabulary has {len(vocabularies[column])} entries, the model {size}", where, remedy)
        elif (vocabularies[column] == sentinel).any():
            what = f"the vocabulary lists {sentinel!r}, which stands for a missing value at serving"
            yield Fault(what, where, "prepare the data again with this value as null, and train again")
