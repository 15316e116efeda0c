"""Comparison of two schemas: columns that a model of one would misread in batches of the other, and differences as a config names them."""

from dataclasses import asdict

from recsys.errors import nearest
from recsys.schema import Schema

SETTINGS = ("user", "item", "time", "time_unit", "labels", "session", "positive")


def misread(reader: Schema, batches: Schema) -> dict[str, str]:
    """{column: reason} of columns whose values mean something else to a model of `reader` than in batches of `batches`; empty = none.

    Batches hold numbers and moments as they are, and each model standardises them itself, so their statistics may differ. Everything
    else is an index into a vocabulary, or a list of a fixed length.

    Args:
        reader, batches: fitted.
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
