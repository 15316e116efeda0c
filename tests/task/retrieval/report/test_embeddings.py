import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from recsys.run.directory import RunDirectory
from recsys.task.retrieval.report.embeddings import principal, section


def test_the_map_is_a_principal_component_analysis():
    vectors = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    places, explained = principal(vectors)
    other = PCA(2)
    expected = other.fit_transform(vectors)
    assert np.abs(places) == pytest.approx(np.abs(expected))  # up to the sign of each axis
    assert explained == pytest.approx(other.explained_variance_ratio_)


def test_it_says_how_much_the_map_explains(retrieval):
    report = section(RunDirectory.open(retrieval("a")))
    assert report.text[0].startswith("30 of 8 items, in the two directions")
    assert "% of the variance" in report.text[0]
    assert [figure.name for figure in report.parts] == ["embeddings", "embeddings_by_events"]
    assert report.parts[0].title == "Items by kind"


def test_without_a_category_colours_tell_popularity(retrieval):
    run = retrieval("a")
    frame = pl.read_parquet(run / "item_vectors.parquet").drop("kind")
    frame.write_parquet(run / "item_vectors.parquet")
    assert section(RunDirectory.open(run)).parts[0].title == "Items by popularity in training"


def test_two_items_make_no_map(retrieval):
    run = retrieval("a")
    pl.read_parquet(run / "item_vectors.parquet").head(2).write_parquet(run / "item_vectors.parquet")
    assert section(RunDirectory.open(run)) is None


def test_equal_vectors_are_one_place():
    places, explained = principal(np.ones((4, 3)))
    assert not places.any()
    assert explained.tolist() == [0, 0]
