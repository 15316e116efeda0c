"""What each column is: feature kinds, labels, and the Schema that names them. One column name from raw file to served graph."""

import difflib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from recsys.disk import write_whole
from recsys.errors import DataError, Fault
from recsys.schema.label import Label as Label
from recsys.schema.label import chains as chains

Entity = Literal["user", "item", "context", "bias"]
TimeUnit = Literal["datetime", "s", "ms", "us", "rank"]

PAD = 0
"""Index of padding in every vocabulary and entity table; its embedding is the zero vector."""
UNKNOWN = 1
"""Index of an unknown, rare or missing value in every vocabulary; its embedding is trained."""
FIRST_KNOWN = 2
"""Index of the first known value in every vocabulary."""


@dataclass(frozen=True)
class Feature:
    """A column that a model reads. `column` is its name in files, batches, tables and the served graph.

    Attributes:
        column: column name in the raw table.
        entity: whose column it is: user, item, context (the interaction row itself), or bias (of the row too, but known only once it
            has been shown, such as its position: read in training, neutral when serving).
    """

    column: str
    entity: Entity


@dataclass(frozen=True)
class Categorical(Feature):
    """One value out of many (string, integer or boolean): index int64 [B].

    Attributes:
        min_count: values seen in fewer training rows than this share the unknown index.
        buckets: hash into this many buckets instead of keeping a vocabulary (MurmurHash3, 32 bit, seed 0); 0 = vocabulary.
    """

    min_count: int = 1
    buckets: int = 0


@dataclass(frozen=True)
class Numeric(Feature):
    """A number: raw value float32 [B]; the model's encoder applies log, standardisation and buckets.

    Attributes:
        log: x -> sign(x) * log1p(|x|) before anything else.
        standardize: subtract the training mean and divide by the training standard deviation (after `log`).
        quantiles: also embed the index of this many training-quantile buckets; 0 = none.
        low, high: values outside [low, high] are faults of the data.
        fill: raw value that stands for a missing one; None = a missing value is a fault of the data.
    """

    log: bool = False
    standardize: bool = True
    quantiles: int = 0
    low: float | None = None
    high: float | None = None
    fill: float | None = None


@dataclass(frozen=True)
class MultiCategorical(Feature):
    """A list of values, pooled by their mean embedding: index int64 [B, max_len], padded with 0 on the right.

    Attributes:
        max_len: longer lists are cut to their first `max_len` values (counted and reported).
        min_count, buckets: as in Categorical.
    """

    max_len: int = 10
    min_count: int = 1
    buckets: int = 0


@dataclass(frozen=True)
class History(Feature):
    """The user's earlier positive items, strictly before the row: index int64 [B, max_len], oldest first, 0 on the right.

    Attributes:
        of: the item-side Categorical column whose values are listed, usually the item id; its embedding table is shared.
        max_len: only the most recent `max_len` are kept.
    """

    of: str
    max_len: int = 50


@dataclass(frozen=True)
class Vector(Feature):
    """A precomputed dense embedding (list or array column of floats): float32 [B, size]."""


@dataclass(frozen=True)
class Timestamp(Feature):
    """A moment: int64 seconds since 1970 UTC [B]; the model's encoder embeds hour of day and day of week."""


@dataclass(frozen=True)
class Statistics:
    """What training rows say of one column.

    Attributes:
        dtype: raw type, and so the type of the served input: "string", "int64", "float32" or "bool".
        size: embedding rows, pad and unknown included (Categorical, MultiCategorical), or vector width (Vector).
        mean, std: of the raw value after `log` (Numeric).
        boundaries: inner quantile boundaries of the raw value, ascending (Numeric with quantiles).
        vocabulary_sha256: hash of the vocabulary file; "" where the column has none.
    """

    dtype: str
    size: int = 0
    mean: float = 0.0
    std: float = 1.0
    boundaries: tuple[float, ...] = ()
    vocabulary_sha256: str = ""


KINDS = {kind.__name__: kind for kind in (Categorical, Numeric, MultiCategorical, History, Vector, Timestamp)}


def nearest(name: str, known: Iterable[str]) -> str:
    """The sentence part "; did you mean 'x'?" for the closest known name, or "" when none is close.

    Example:
        >>> nearest("itemid", ["item_id", "user_id"])
        "; did you mean 'item_id'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


@dataclass(frozen=True)
class Schema:
    """Every column's meaning, and, once prepared, its training statistics.

    Attributes:
        user, item: raw id columns of the interactions table (and the key of the users and items tables); None where rows name no
            user or no item, which is enough to predict labels from what else a row holds.
        time: column that orders a user's interactions; None when nothing is known of order. A column of this name in the users or items
            table is the moment since which a row is known, null always: earlier interactions of it are faults, unless time is a rank.
        time_unit: "datetime" (a Date or Datetime column), "s", "ms" or "us" (integer epoch), or "rank" (order only, no calendar).
        features: one per column, in the order towers concatenate them.
        labels: columns of the interactions table.
        session: column of the interactions whose values group the rows that were shown together; None = a user's rows are the group.
        positive: label column that makes a row a positive interaction (retrieval targets and History); None = every row is.
        statistics: {column: Statistics} of features and regression labels, empty until fitted on the training split.
    """

    user: str | None
    item: str | None
    time: str | None = None
    time_unit: TimeUnit = "datetime"
    features: tuple[Feature, ...] = ()
    labels: tuple[Label, ...] = ()
    session: str | None = None
    positive: str | None = None
    statistics: dict[str, Statistics] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "features", tuple(self.features))
        object.__setattr__(self, "labels", tuple(self.labels))
        faults = list(_schema_faults(self))
        if faults:
            raise DataError(*faults)

    def of(self, *entities: Entity) -> tuple[Feature, ...]:
        """Features of these entities, in declared order."""
        return tuple(feature for feature in self.features if feature.entity in entities)

    def feature(self, column: str) -> Feature:
        """The feature of a column; a KeyError names the nearest one."""
        for feature in self.features:
            if feature.column == column:
                return feature
        raise KeyError(f"no feature '{column}'" + nearest(column, (feature.column for feature in self.features)))

    def table(self, column: str) -> str:
        """Column whose embedding table a categorical column uses: its own, or for a History the column it lists."""
        feature = self.feature(column)
        return feature.of if isinstance(feature, History) else column

    def fitted(self, statistics: dict[str, Statistics]) -> "Schema":
        """The same schema with training statistics."""
        return replace(self, statistics=dict(statistics))

    def save(self, path: Path) -> None:
        """Write schema.json; `Schema.load` gives back an equal Schema."""
        write_whole(path, json.dumps(self.document(), indent=2) + "\n")

    def document(self) -> dict:
        """What schema.json says."""
        return asdict(self) | {"features": [{"kind": type(feature).__name__, **asdict(feature)} for feature in self.features]}

    @staticmethod
    def load(path: Path) -> "Schema":
        """Read what `save` wrote."""
        document = json.loads(path.read_text())
        features = [KINDS[feature.pop("kind")](**feature) for feature in document.pop("features")]
        labels = [Label(**label) for label in document.pop("labels")]
        statistics = {
            column: Statistics(**{**values, "boundaries": tuple(values["boundaries"])})
            for column, values in document.pop("statistics").items()
        }
        return Schema(**document, features=tuple(features), labels=tuple(labels), statistics=statistics)


def _schema_faults(schema: Schema):
    columns = [feature.column for feature in schema.features]
    labels = [label.column for label in schema.labels]
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        yield Fault(
            f"feature '{column}' is declared {columns.count(column)} times", f"data.features, column '{column}'", "keep one of them"
        )
    for column in sorted({label for label in labels if labels.count(label) > 1}):
        yield Fault(f"label '{column}' is declared {labels.count(column)} times", f"data.labels, column '{column}'", "keep one of them")
    for column in sorted(set(columns) & set(labels)):
        yield Fault(
            f"'{column}' is both a feature and a label",
            f"data.features, column '{column}'",
            "remove the feature: a label among the inputs leaks",
        )
    for label in schema.labels:
        if label.given is not None and label.given not in labels:
            yield Fault(
                f"label '{label.column}' is given '{label.given}', which is no label{nearest(label.given, labels)}",
                f"data.labels, column '{label.column}'",
                f"use one of {labels}",
            )
        if label.given in labels[labels.index(label.column) :]:
            yield Fault(
                f"label '{label.column}' stands before '{label.given}', which it is given",
                f"data.labels, column '{label.column}'",
                "list each label after the one it is given",
            )
        if label.given is not None and any(other.column == label.given and other.kind != "binary" for other in schema.labels):
            yield Fault(
                f"label '{label.column}' is given '{label.given}', which is a number",
                f"data.labels, column '{label.column}'",
                "a label can be given one that is 0 or 1",
            )
    if schema.positive is not None and schema.positive not in labels:
        yield Fault(
            f"positive '{schema.positive}' is no label{nearest(schema.positive, labels)}", "data.positive", f"use one of {labels}, or null"
        )
    for feature in schema.features:
        if (schema.user is None and feature.entity == "user") or (schema.item is None and feature.entity == "item"):
            yield Fault(
                f"feature '{feature.column}' has entity '{feature.entity}', and data.{feature.entity} is null",
                f"data.features, column '{feature.column}'",
                f"name the id column in data.{feature.entity}, or set entity: context",
            )
        if feature.entity == "bias" and not isinstance(feature, Categorical):
            yield Fault(
                f"feature '{feature.column}' of entity bias is {type(feature).__name__}",
                f"data.features, column '{feature.column}'",
                "make it a Categorical: the bias of each of its values is learnt",
            )
    categorical = [feature.column for feature in schema.features if isinstance(feature, Categorical) and feature.entity == "item"]
    for feature in schema.features:
        if isinstance(feature, History) and feature.of not in categorical:
            yield Fault(
                f"history '{feature.column}' lists '{feature.of}', which is no item-side Categorical{nearest(feature.of, categorical)}",
                f"data.features, column '{feature.column}'",
                f"use one of {categorical}",
            )
        if isinstance(feature, History) and feature.entity != "user":
            yield Fault(
                f"history '{feature.column}' has entity '{feature.entity}'", f"data.features, column '{feature.column}'", "set entity: user"
            )
