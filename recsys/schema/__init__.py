"""Meaning of every column: feature kinds, labels, and the Schema that names them. One column name from raw file to served graph."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from recsys.disk import write_whole
from recsys.errors import DataError, Fault
from recsys.errors import nearest as nearest
from recsys.ranges import Column
from recsys.schema.kind import KINDS
from recsys.schema.kind.base import Entity as Entity
from recsys.schema.kind.base import Feature as Feature
from recsys.schema.kind.base import Statistics as Statistics
from recsys.schema.kind.base import TimeUnit as TimeUnit
from recsys.schema.kind.categorical import Categorical as Categorical
from recsys.schema.kind.history import History as History
from recsys.schema.kind.multi_categorical import MultiCategorical as MultiCategorical
from recsys.schema.kind.numeric import Numeric as Numeric
from recsys.schema.kind.timestamp import Timestamp as Timestamp
from recsys.schema.kind.vector import Vector as Vector
from recsys.schema.vocabulary import FIRST_KNOWN as FIRST_KNOWN
from recsys.schema.vocabulary import PAD as PAD
from recsys.schema.vocabulary import UNKNOWN as UNKNOWN

RESERVED = ("exclude", "k", "items", "scores", "vector", "task")
"""Names of a served graph's inputs and outputs that are no columns, and of the task in a golden request."""
SETTINGS = ("user", "item", "time", "time_unit", "labels", "session", "positive")
"""Fields of a schema that a config sets one by one."""


@dataclass(frozen=True)
class Label:
    """A column of the interactions table that a model predicts.

    The policy says what happens to rows where this label is set though the label it is given is 0: "fail" refuses the data, "drop" leaves
    the rows out, "clip" takes the label for 0; the last two are counted.
    """

    column: Column
    given: Column | None = None  # binary label that must be 1 for this one to be observable: conversion is `given: click`
    kind: Literal["binary", "regression"] = "binary"  # 0 or 1, or a number
    policy: Literal["fail", "drop", "clip"] = "fail"


def chains(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """{label: columns of its funnel, from the one that is given none down to itself}; each label stands after the one it is given.

    Example:
        >>> chains([Label("click"), Label("conversion", given="click")])["conversion"]
        ('click', 'conversion')
    """
    columns: dict[str, tuple[str, ...]] = {}
    for label in labels:
        columns[label.column] = (*columns.get(label.given or "", ()), label.column)
    return columns


@dataclass(frozen=True)
class Schema:
    """Every column's meaning, and, once prepared, its training statistics.

    Where rows name no user or no item, labels can still be predicted from the other columns. In the users or items table, a column of the
    name of `time` is the moment since which the row is known (null: always), and earlier interactions are faults, unless time is a rank.
    """

    user: str | None  # raw id column of the interactions, and key of the users table; None where rows name no user
    item: str | None  # the same of items
    time: str | None = None  # column that orders a user's interactions; None where their order is unknown
    time_unit: TimeUnit = "datetime"  # a Date or Datetime column; of numbers an epoch's unit or digits; "rank": order, no calendar
    features: tuple[Feature, ...] = ()  # one per column, in the order towers concatenate them
    labels: tuple[Label, ...] = ()  # columns of the interactions table
    session: str | None = None  # column whose values group the rows that were shown together; None = a user's rows are the group
    positive: str | None = None  # label that makes a row a positive interaction (retrieval targets and History); None = every row is
    statistics: dict[str, Statistics] = field(default_factory=dict)  # of features and regression labels, once fitted on training rows

    def __post_init__(self):
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "labels", tuple(self.labels))
        faults = [*_feature_faults(self), *_label_faults(self.labels, self.positive)]
        if faults:
            raise DataError(*faults)

    def of(self, *entities: Entity) -> tuple[Feature, ...]:
        """Features of these entities, in declared order."""
        return tuple(feature for feature in self.features if feature.entity in entities)

    def raw_features(self, *entities: Entity) -> tuple[Feature, ...]:
        """Features of these entities that are read from a raw column."""
        return tuple(feature for feature in self.of(*entities) if feature.is_stored)

    def feature(self, column: str) -> Feature:
        """Feature of a column; a KeyError names the nearest one."""
        for feature in self.features:
            if feature.column == column:
                return feature
        raise KeyError(f"no feature '{column}'" + nearest(column, (feature.column for feature in self.features)))

    def table(self, column: str) -> str:
        """Column whose embedding table a categorical column uses: its own, or for a History the column it lists."""
        return self.feature(column).table

    def keeps_vocabulary(self, column: str) -> bool:
        """Whether values of a column are looked up in a vocabulary file: its own, or for a History that of the column it lists."""
        return self.feature(self.table(column)).keeps_vocabulary

    def fitted(self, statistics: dict[str, Statistics]) -> "Schema":
        """The same schema with training statistics."""
        return replace(self, statistics=dict(statistics))

    def reserved_name_faults(self) -> list[Fault]:
        """One fault for each column whose name the served graphs use for something else."""
        columns = dict.fromkeys([self.item, *(feature.column for feature in self.features)])
        what, remedy = "the served graph has an input or output of the name", "rename the column"
        return [Fault(f"{what} '{column}'", _where(column), remedy) for column in columns if column in RESERVED]

    def save(self, path: Path) -> None:
        """Write schema.json whole; `Schema.load` gives back an equal Schema."""
        write_whole(path, json.dumps(self.document(), indent=2) + "\n")

    def document(self) -> dict[str, Any]:
        """Content of schema.json."""
        return asdict(self) | {"features": [{"kind": type(feature).__name__, **asdict(feature)} for feature in self.features]}

    @staticmethod
    def load(path: Path) -> "Schema":
        """Read what `save` wrote."""
        return Schema.of_document(json.loads(path.read_text()))

    @staticmethod
    def of_document(document: Mapping[str, Any]) -> "Schema":
        """Schema of a parsed schema.json; a ValueError names a kind of feature that this version does not know."""
        statistics = document["statistics"].items()
        parts = {
            "features": tuple(_feature(feature) for feature in document["features"]),
            "labels": tuple(Label(**label) for label in document["labels"]),
            "statistics": {column: Statistics(**{**values, "boundaries": tuple(values["boundaries"])}) for column, values in statistics},
        }
        return Schema(**{**document, **parts})


def _feature(document: Mapping[str, Any]) -> Feature:
    """Feature of its entry in schema.json."""
    arguments = dict(document)
    kind = arguments.pop("kind")
    if kind not in KINDS:
        what = f"feature '{document['column']}' is a {kind}, which this version does not know"
        raise ValueError(f"{what}; use the version that wrote the schema")
    return KINDS[kind](**arguments)


def _repeats(columns: Sequence[str]) -> dict[str, int]:
    """{column: how often it stands there} of those that stand there more than once."""
    return {column: number for column, number in Counter(columns).items() if number > 1}


def _feature_faults(schema: Schema) -> Iterator[Fault]:
    columns, labels = [feature.column for feature in schema.features], {label.column for label in schema.labels}
    keys, items = {"user": schema.user, "item": schema.item}, schema.of("item")
    for column, number in _repeats(columns).items():
        yield Fault(f"feature '{column}' is declared {number} times", _where(column), "keep one of them")
    for column in dict.fromkeys(column for column in columns if column in labels):
        yield Fault(f"'{column}' is both a feature and a label", _where(column), "remove the feature: a label among the inputs leaks")
    for key in ("user", "item", "time", "session"):
        if vars(schema)[key] == "":
            yield Fault("a column without a name", f"data.{key}", "give the column a name in the file (pandas: to_csv(index_label=...))")
    for feature in schema.features:
        if not feature.column:
            yield Fault("a feature without a name", "data.features", "name the column in the file, or remove the feature")
        column, entity, where = feature.column, feature.entity, _where(feature.column)
        if entity in keys and keys[entity] is None:
            what = f"feature '{column}' has entity '{entity}', and data.{entity} is null"
            yield Fault(what, where, f"name the id column in data.{entity}, or set entity: context")
        if entity == "bias" and not feature.is_category:
            what = f"feature '{column}' of entity bias is {type(feature).__name__}"
            yield Fault(what, where, "make it a Categorical: the bias of each of its values is learnt")
        yield from feature.faults(items)


def _where(column: str) -> str:
    return f"data.features, column '{column}'"


def _label_faults(labels: Sequence[Label], positive: str | None) -> Iterator[Fault]:
    """Faults of labels beside each other, and of the one that makes a row positive."""
    columns = [label.column for label in labels]
    for column, number in _repeats(columns).items():
        yield _label_fault(column, f"is declared {number} times", "keep one of them")
    for place, label in enumerate(labels):
        if label.given is None:
            continue
        if label.given not in columns:
            what = f"is given '{label.given}', which is no label{nearest(label.given, columns)}"
            yield _label_fault(label.column, what, f"use one of {columns}")
        if label.given in columns[place:]:
            what = f"stands before '{label.given}', which it is given"
            yield _label_fault(label.column, what, "list each label after the one it is given")
        if any(other.column == label.given and other.kind != "binary" for other in labels):
            what = f"is given '{label.given}', which is a number"
            yield _label_fault(label.column, what, "a label can be given one that is 0 or 1")
    if positive is not None and positive not in columns:
        what = f"positive '{positive}' is no label{nearest(positive, columns)}"
        yield Fault(what, "data.positive", f"use one of {columns}, or null")


def _label_fault(column: str, what: str, remedy: str) -> Fault:
    return Fault(f"label '{column}' {what}", f"data.labels, column '{column}'", remedy)


def misread(reader: Schema, batches: Schema) -> dict[str, str]:
    """{column: reason} of columns whose values mean something else to a model of `reader` than in batches of `batches`; empty = none.

    Both are fitted. Batches hold numbers and moments as they are, and each model standardises them itself, so their statistics may differ.
    Everything else is an index into a vocabulary, or a list of a fixed length.
    """
    there = {feature.column: feature for feature in batches.features}
    reasons = {}
    for feature in reader.features:
        column, other = feature.column, there.get(feature.column)
        if other is None:
            reasons[column] = f"there is no such feature{nearest(column, there)}"
        elif type(feature) is not type(other):
            reasons[column] = f"{type(feature).__name__} was expected, it is {type(other).__name__}"
        else:
            expected = feature.content(reader.statistics[column], positive=reader.positive)
            content = other.content(batches.statistics[column], positive=batches.positive)
            if words := [word for word in expected if expected[word] != content[word]]:
                reasons[column] = f"another {' and '.join(words)}"
    return reasons


def differences(one: Schema, other: Schema) -> list[str]:
    """Config keys and columns in which two schemas differ; empty if a model that fits one fits the other."""
    first, second = asdict(one), asdict(other)
    names = [f"data.{name}" for name in SETTINGS if first[name] != second[name]]
    features, others = ({feature.column: feature for feature in schema.features} for schema in (one, other))
    declared = [column for column in features | others if features.get(column) != others.get(column)]
    names += [f"feature '{column}'" for column in declared]
    if not declared and list(features) != list(others):
        names.append("the order of the features")
    both = [column for column in one.statistics if column in other.statistics and column not in declared]
    return names + [f"training values of '{column}'" for column in both if one.statistics[column] != other.statistics[column]]
