"""What two schemas say differently, in the words of a config."""

from dataclasses import asdict

from recsys.schema import Schema

SETTINGS = ("user", "item", "time", "time_unit", "labels", "session", "positive")


def differences(one: Schema, other: Schema) -> list[str]:
    """Config keys and columns in which two schemas differ; empty if a model that fits one fits the other."""
    first, second = asdict(one), asdict(other)
    found = [f"data.{name}" for name in SETTINGS if first[name] != second[name]]
    features, others = ({feature.column: feature for feature in schema.features} for schema in (one, other))
    declared = [column for column in features | others if features.get(column) != others.get(column)]
    found += [f"feature '{column}'" for column in declared]
    if not declared and list(features) != list(others):
        found.append("the order of the features")
    both = [column for column in one.statistics if column in other.statistics and column not in declared]
    return found + [f"training values of '{column}'" for column in both if one.statistics[column] != other.statistics[column]]
