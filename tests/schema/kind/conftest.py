"""What the tests of all kinds do with a feature: encode a column, and look for rows that break its rule."""

import polars as pl
import pytest

from recsys.schema.vocabulary import Vocabulary


@pytest.fixture
def known():
    """Vocabulary of values."""
    return lambda values: Vocabulary.fit(pl.Series(values), rows=None, min_count=1)


@pytest.fixture
def encode():
    """Array of a feature's raw values."""
    return lambda feature, values, vocabulary=None, time_unit="datetime": feature.encode(values, vocabulary=vocabulary, time_unit=time_unit)


@pytest.fixture
def broken():
    """{what: row numbers} of every check that some row of the feature's column breaks."""

    def checked(feature, values):
        frame = values.alias(feature.column).to_frame()
        rows = {
            check.what: frame.select(bad=check.bad.fill_null(False))["bad"].arg_true().to_list()
            for check in feature.rule("s").checks(frame.schema)
        }
        return {what: numbers for what, numbers in rows.items() if numbers}

    return checked


@pytest.fixture
def tally():
    """Number of every tally."""

    def counted(feature, values):
        frame = values.alias(feature.column).to_frame()
        return [frame.select(tally.number.cast(pl.Int64)).item() for tally in feature.rule("s").tallies(frame.schema)]

    return counted
