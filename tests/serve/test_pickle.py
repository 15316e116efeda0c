"""Serving objects as pickles: a folder that is opened and checked again."""

import copy
import pickle

import pytest

from recsys.serve import BundleError, Ranker, Recommender, Retriever

ITEMS = [{"item_id": item, "price": price} for item, price in (("a", 1.0), ("b", 5.0), ("c", 3.0))]
MAKE = {
    "retriever": lambda folder: Retriever(folder, threads=2, ignore_extra=True),
    "ranker": lambda folder: Ranker(folder, ignore_extra=True),
    "recommender": lambda folder: Recommender(folder, ITEMS, label="buy", num_candidates=2, ignore_extra=True),
}


def answer(served):
    return served.predict([{"price": 3.0, "x": 1}]) if isinstance(served, Ranker) else served.recommend([{"history": ["c"], "x": 1}], k=2)


@pytest.mark.parametrize("name", MAKE)
def test_pickle_answers_alike_and_holds_no_file(bundle, name, monkeypatch):
    monkeypatch.chdir(bundle.parent)
    served = MAKE[name](bundle.name)
    content = pickle.dumps(served)
    assert len(content) < 5_000
    monkeypatch.chdir("/")
    for again in (pickle.loads(content), copy.deepcopy(served)):
        assert type(again) is type(served)
        assert answer(again) == answer(served)
        assert again.ignored == ["x"]


@pytest.mark.parametrize("name", MAKE)
def test_pickle_of_a_folder_that_was_changed_is_refused(written, tmp_path, name):
    folder = written(tmp_path / "bundle", ("retriever.onnx", "ranker.onnx"))
    content = pickle.dumps(MAKE[name](folder))
    (folder / "schema.json").write_bytes((folder / "schema.json").read_bytes()[::-1])
    with pytest.raises(BundleError, match="is not the exported file"):
        pickle.loads(content)
