import numpy as np
import polars as pl
import pytest

from recsys.data.store.feature_files import FeatureFiles
from recsys.data.store.interactions import Entities, KeyColumns, Spool
from recsys.schema import Categorical, Label, Numeric, Schema


@pytest.fixture
def files(tmp_path):
    """Three rows, the last one not in training; users are numbered b 2, a 1."""
    frame = pl.LazyFrame({"user": ["b", "a", "b"], "price": [1.0, 3.0, 100.0], "device": ["web", "app", "web"], "click": [1, None, 0]})
    features = (Categorical("user", "user"), Numeric("price", "context"), Categorical("device", "context"))
    rows = KeyColumns(
        user=np.array([2, 1, 2], dtype=np.int32),
        item=np.array([1, 1, 1], dtype=np.int32),
        time=np.array([0, 1, 2]),
        split=np.array([0, 0, 2], dtype=np.uint8),
        positive=np.array([True, False, False]),
    )
    spool = Spool.write(frame, ["user", "price", "device", "click"], tmp_path / "spool.arrow")
    return FeatureFiles(tmp_path, Schema("user", "item", features=features, labels=(Label("click"),)), rows, spool)


def test_context_is_fitted_on_training_rows_and_written_in_order(files):
    statistics = files.context(np.array([1, 0, 2]))
    assert statistics["price"].mean == pytest.approx(2.0)
    assert np.load(files.folder / "context_features" / "price.npy").tolist() == [3, 1, 100]
    assert np.load(files.folder / "context_features" / "device.npy").tolist() == [2, 3, 3]  # one training row each: app before web


def test_ids_need_a_positive_training_row(files):
    entities = Entities("user", pl.Series(["a", "b"]), None)
    files.entity("user", entities, files.rows.user)
    # a's only training row is not positive; row 0 pads
    assert np.load(files.folder / "user_features" / "user.npy").tolist() == [0, 1, 2]


def test_labels_are_written_in_order(files):
    files.labels(np.array([2, 1, 0]))
    np.testing.assert_array_equal(np.load(files.folder / "labels" / "click.npy"), np.array([0, np.nan, 1], dtype=np.float32))
