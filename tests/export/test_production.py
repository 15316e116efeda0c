"""What can be compared with the bundle in production is known before anything is exported."""

from dataclasses import replace

import pytest

from recsys.errors import ConfigError
from recsys.export.production import Production
from recsys.schema import Categorical, History, Numeric, Statistics


def test_a_folder_without_a_bundle_is_a_mistake_in_the_config(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no manifest\.json(.|\n)*against="):
        Production.open(tmp_path)


def without(schema, *columns, **other):
    """The schema without some columns, and with others in the place of some."""
    kept = [other.get(feature.column, feature) for feature in schema.features if feature.column not in columns]
    return replace(schema, features=tuple(kept))


def test_columns_that_the_test_data_lacks_are_named(example):
    production = Production.open(example.bundle)
    with pytest.raises(ConfigError, match=r"cannot be judged: it reads columns(.|\n)*does not have: city, age(.|\n)*against="):
        production.check_columns(without(example.schema, "city", "age"), ["retrieval"])
    production.check_columns(
        without(example.schema, "words"), ["retrieval", "ranking"]
    )  # a bundle without a ranker is not asked about items


def test_columns_that_the_test_data_has_as_something_else_are_named(example):
    other = without(example.schema, brands=History("brands", "user", of="item_id"), vip=Numeric("vip", "user"))
    with pytest.raises(ConfigError) as refused:
        Production.open(example.bundle).check_columns(other, ["retrieval"])
    assert [fault.what.partition(": ")[2] for fault in refused.value.faults] == [
        "it reads 'vip' as Categorical (user, bool), and this run's test data has Numeric (user, bool)",
        "it reads 'brands' as History of 'brand' (user, int64), and this run's test data has History of 'item_id' (user, int64)",
    ]


def test_another_vocabulary_buckets_and_length_are_no_other_column(example):
    statistics = example.schema.statistics | {"user_id": Statistics("string", 99, vocabulary_sha256="ab" * 32)}
    other = without(example.schema, city=Categorical("city", "user"), history=History("history", "user", of="item_id", max_len=9))
    Production.open(example.bundle).check_columns(other.fitted(statistics), ["retrieval"])


def test_lengths_are_those_of_the_histories(example):
    assert Production.open(example.bundle).lengths() == {"history": 4, "brands": 4}
