"""Search by an index, with a stand-in that compares every vector."""

import io

import numpy as np
import pytest

from recsys.serve import BundleError, Retriever

VECTORS = np.eye(5, dtype=np.float32)[[0, 2, 3, 4]]
"""By position: padding, a, b, c."""
GRAPHS = ("retriever.onnx", "user_tower.onnx")


class Everything:
    """Compares all positions, padding too, in an order of its own among equals; knows how often it was asked for how many."""

    reach = 4
    asked = ()

    def __init__(self, content, parameters, threads):
        assert (content, parameters, threads) == (b"index", {"ef_search": 64}, 2)

    def search(self, vectors, k):
        type(self).asked += (k,)
        scores = vectors @ VECTORS.T
        position = np.broadcast_to(np.arange(4), scores.shape)
        at = np.lexsort((position, -scores), axis=1)[:, :k]
        scores = np.take_along_axis(scores, at, 1)
        order = np.lexsort((-at, -scores), axis=1)
        at, scores = np.take_along_axis(at, order, 1), np.take_along_axis(scores, order, 1)
        at[:, self.reach :], scores[:, self.reach :] = -1, -np.inf
        return scores, at


@pytest.fixture
def index(monkeypatch):
    chosen = type("Chosen", (Everything,), {})
    monkeypatch.setattr("recsys.serve.search.Index", chosen)
    return chosen


def add_index(partial, ids=("", "a", "b", "c"), **options):
    (partial / "index.faiss").write_bytes(b"index")
    content = io.BytesIO()
    np.save(content, np.array(ids, **options))
    (partial / "index_ids.npy").write_bytes(content.getvalue())


@pytest.fixture
def indexed(written, tmp_path):
    return written(tmp_path / "bundle", GRAPHS, add_index, index={"kind": "hnsw", "chosen": {"ef_search": 64}})


@pytest.mark.parametrize("k", [1, 2, 3, 10])
def test_index_that_misses_nothing_answers_like_the_exact_search(index, indexed, k):
    rows = [{"history": entries} for entries in (["c"], ["a", "b"], [], None, ["c", "c", "a"], ["b", "x"])]
    exclude = [None, ["b"], ["a"], ["a", "b", "c"], ["x"], ["c", "c"]]
    got = Retriever(indexed, 2, search="index").recommend(rows, k=k, exclude=exclude)
    assert got == Retriever(indexed, search="exact").recommend(rows, k=k, exclude=exclude)


def test_as_many_are_asked_for_as_may_be_left_out(index, indexed):
    retriever = Retriever(indexed, 2, search="index")
    index.asked = ()
    assert retriever.recommend([{"history": ["c"]}], k=1, exclude=[["c", "never seen"]]) == [(["a"], [0.0])]
    assert index.asked == (3,)  # c, padding and one more


def test_more_is_asked_for_until_enough_is_left(index, indexed, monkeypatch):
    """An index that answers two items fewer than it is asked for, as approximate ones do."""
    whole = index.search

    def two_fewer(self, vectors, k):
        scores, at = whole(self, vectors, k)
        scores[:, k - 2 :], at[:, k - 2 :] = -np.inf, -1
        return scores, at

    monkeypatch.setattr(index, "search", two_fewer)
    retriever = Retriever(indexed, 2, search="index")
    index.asked = ()
    assert retriever.recommend([{"history": ["c"]}], k=1, exclude=[["c"]]) == [(["b"], [0.0])]
    assert index.asked == (3, 4)


def test_index_that_finds_fewer_gives_fewer(index, indexed):
    index.reach = 1
    assert Retriever(indexed, 2, search="index").recommend([{"history": ["b"]}], k=3) == [(["b"], [1.0])]


def test_bundle_without_an_index_says_what_to_do(bundle):
    with pytest.raises(ValueError, match="holds no index; export the run with index=hnsw, or use search='exact'"):
        Retriever(bundle, search="index")


@pytest.mark.parametrize(
    ("ids", "options", "message"),
    [(["", "a"], {}, r"index_ids\.npy holds \(2,\) ids"), ([None, "a", "b", "c"], {"dtype": object}, r"index_ids\.npy cannot be read")],
)
def test_ids_that_do_not_fit_or_need_unpickling_are_refused(index, written, tmp_path, ids, options, message):
    facts = {"index": {"kind": "hnsw", "chosen": {"ef_search": 64}}}
    folder = written(tmp_path / "bundle", GRAPHS, lambda partial: add_index(partial, ids, **options), **facts)
    with pytest.raises(BundleError, match=message):
        Retriever(folder, 2, search="index")
