"""The graph, searched as a server does, against brute force."""

import faiss
import numpy as np
import pytest

from recsys.export.index.curve import index_figures
from recsys.export.index.hnsw import HNSW
from recsys.serve.search import Index


def hnsw(**changes):
    return HNSW(**{"m": 16, "ef_construction": 100, "ef_search": [10], "k": 10, "min_recall": 0.9, "seed": 0} | changes)


def test_wide_search_finds_what_brute_force_finds(vectors, queries, best):
    scores, at = Index(hnsw().build(vectors), {"ef_search": 400}).search(queries, 10)
    expected_scores, expected = best(vectors, queries, 10)
    assert (at == expected).all()
    assert np.abs(scores - expected_scores).max() < 1e-6


def test_one_item_is_found():
    scores, at = Index(hnsw().build(np.array([[0, 0], [3, 4]], np.float32)), {}).search(np.array([[1, 2]], np.float32), 2)
    assert at.tolist() == [[1, -1]]
    assert scores.tolist() == [[11.0, -np.inf]]  # 1 x 3 + 2 x 4


def test_same_seed_gives_the_same_bytes(vectors):
    assert hnsw().build(vectors) == hnsw().build(vectors)


def test_another_seed_gives_another_graph(vectors):
    assert hnsw(seed=1).build(vectors) != hnsw(seed=2).build(vectors)


@pytest.fixture(scope="module")
def of_many_lengths():
    """Vectors whose lengths deviate by a factor of 1.6, and queries."""
    generator = np.random.default_rng(2)
    vectors = generator.standard_normal((3001, 16)).astype(np.float32)
    vectors *= np.exp(0.5 * generator.standard_normal((3001, 1))).astype(np.float32)
    vectors[0] = 0
    return vectors, generator.standard_normal((100, 16)).astype(np.float32)


def test_one_thread_builds(vectors):
    faiss.omp_set_num_threads(4)
    hnsw().build(vectors)
    assert faiss.omp_get_max_threads() == 1


def test_vectors_of_many_lengths_are_refused_with_what_to_choose_instead(of_many_lengths):
    vectors, queries = of_many_lengths
    index = hnsw(m=8, k=50, ef_search=[400], min_recall=0.995)
    entry = index_figures(index, index.build(vectors), vectors, queries, lambda query: None)
    assert entry["chosen"] is None
    assert 0.9 < entry["recall"] < 0.98
    assert "index=ivf_pq" in entry["refusal"]
    assert "model.normalize=true" in entry["refusal"]


def test_scores_are_inner_products_where_lengths_differ(of_many_lengths):
    vectors, queries = of_many_lengths
    scores, at = Index(hnsw().build(vectors), {}).search(queries, 5)
    assert np.abs(scores - np.einsum("qd,qkd->qk", queries, vectors[at])).max() < 1e-4  # of about 20


def test_items_that_share_one_vector_do_not_trap_the_search(vectors, queries, best):
    twins = np.concatenate([vectors[:1], np.tile(vectors[7], (2000, 1)), vectors[1:]])
    _, at = Index(hnsw().build(twins), {"ef_search": 400}).search(queries, 10)
    assert (at == best(twins, queries, 10)[1]).all()


@pytest.mark.filterwarnings("error")
def test_zero_vectors_are_items_like_others(vectors, best):
    some = np.concatenate([vectors[:5], np.zeros((2, 8), np.float32)])
    query = -some[1:5].sum(0, keepdims=True)
    _, at = Index(hnsw().build(some), {}).search(query, 6)
    assert (at == best(some, query, 6)[1]).all()


@pytest.mark.parametrize("wrong", [{"m": 2}, {"m": 7}, {"ef_construction": 8}])
def test_graph_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        hnsw(**wrong)
