"""Whether a model can read batches that were made for another one."""

from recsys.schema import Categorical, Feature, History, MultiCategorical, Schema, Vector, nearest


def misread(reader: Schema, batches: Schema) -> dict[str, str]:
    """{column: why} of what a model of one schema would take for something else in batches of the other; empty = it can read them.

    Batches hold numbers and moments as they are, and each model standardises them itself, so their statistics may differ. Everything
    else is an index into a vocabulary, or a list of a fixed length. A vocabulary's hash covers how often each value was seen, so equal
    ones also tell of equal training rows.

    Args:
        reader, batches: fitted.
    """
    there = {feature.column: feature for feature in batches.features}
    found = {}
    for feature in reader.features:
        other = there.get(feature.column)
        if other is None:
            found[feature.column] = f"there is no such feature{nearest(feature.column, there)}"
        elif type(feature) is not type(other):
            found[feature.column] = f"{type(feature).__name__} was expected, it is {type(other).__name__}"
        else:
            wanted, given = _content(reader, feature), _content(batches, other)
            if differs := [name for name in wanted if wanted[name] != given[name]]:
                found[feature.column] = f"another {' and '.join(differs)}"
    return found


def _content(schema: Schema, feature: Feature) -> dict[str, object]:
    """What decides which numbers a batch holds for a value of the column."""
    statistics = schema.statistics[feature.column]
    vocabulary = {"vocabulary": (statistics.vocabulary_sha256, statistics.size, statistics.dtype)}
    match feature:
        case Categorical():
            return vocabulary
        case MultiCategorical():
            return vocabulary | {"max_len": feature.max_len}
        case History():
            return vocabulary | {"max_len": feature.max_len, "item column": feature.of, "data.positive": schema.positive}
        case Vector():
            return {"width": statistics.size}
    return {}
