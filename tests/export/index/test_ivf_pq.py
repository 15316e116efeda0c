"""Compressed cells, searched as a server does, against brute force."""

import faiss
import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.export.index.ivf_pq import IVFPQ
from recsys.serve.search import Index


def ivf_pq(**changes):
    sound = {"nlist": 10, "m": 4, "nbits": 4, "rescored": 40, "nprobe": [1, 10], "k": 10, "min_recall": 0.9, "seed": 0}
    return IVFPQ(**sound | changes)


@pytest.mark.parametrize("factor", [1, 5])  # of the lengths of half of the items
def test_all_cells_and_candidates_find_what_brute_force_finds(vectors, queries, best, factor):
    vectors = vectors * np.where(np.arange(len(vectors)) % 2, factor, 1)[:, None].astype(np.float32)
    scores, at = Index(ivf_pq().build(vectors), {"nprobe": 10}).search(queries, 10)
    expected_scores, expected = best(vectors, queries, 10)
    assert (at == expected).all()
    assert np.abs(scores - expected_scores).max() < 5e-6


def test_scores_are_exact_although_codes_are_coarse(vectors, queries):
    scores, at = Index(ivf_pq(rescored=1).build(vectors), {"nprobe": 2}).search(queries, 3)
    assert np.abs(scores - np.einsum("qd,qkd->qk", queries, vectors[at])).max() < 1e-6


def test_more_cells_find_more(vectors, queries, best):
    content, (_, expected) = ivf_pq().build(vectors), best(vectors, queries, 10)
    found = [
        sum(len(set(row) & set(right)) for row, right in zip(Index(content, {"nprobe": probes}).search(queries, 10)[1], expected))
        for probes in (1, 3, 10)
    ]
    assert found[0] < found[1] < found[2]


def test_cells_that_hold_too_few_leave_places_empty(vectors, queries):
    scores, at = Index(ivf_pq().build(vectors), {"nprobe": 1}).search(queries, 400)
    assert (at[:, -1] == -1).all()
    assert (scores[at == -1] == -np.inf).all()
    assert (scores[at > 0] > -10).all()


def test_same_seed_gives_the_same_bytes(vectors):
    assert ivf_pq().build(vectors) == ivf_pq().build(vectors)


def test_another_seed_gives_other_cells(vectors):
    assert ivf_pq(seed=1).build(vectors) != ivf_pq(seed=2).build(vectors)


def test_items_that_share_one_vector_do_not_push_others_out(vectors, queries, best):
    twins = np.concatenate([vectors[:1], np.tile(vectors[7], (2000, 1)), vectors[1:]])
    _, at = Index(ivf_pq().build(twins), {"nprobe": 10}).search(queries, 10)
    assert (at == best(twins, queries, 10)[1]).all()


def test_sizes_left_open_follow_the_catalogue(vectors):
    index = ivf_pq(nlist=None, m=None).faiss_index(vectors[1:])
    codes = faiss.extract_index_ivf(index)
    assert (codes.nlist, codes.code_size) == (80, 2)  # 4 x root of 400; 8 / 2 parts of 4 bits


def test_nothing_is_printed(vectors, capfd):
    ivf_pq().build(vectors)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nbits": 9}, r"has 400 distinct vectors; 10 cells and codes of 9 bits need 512 to learn from[^$]*index=null[^$]*index=hnsw"),
        ({"nlist": 401}, r"401 cells and codes of 4 bits need 401 to learn from"),
        ({"m": 3}, r"3 parts do not divide 8 dimensions[^$]*where: index.m[^$]*a divisor of 8"),
    ],
)
def test_catalogue_that_cannot_teach_it_is_refused(vectors, changes, message):
    with pytest.raises(ConfigError, match=message):
        ivf_pq(**changes).build(vectors)


def test_twins_do_not_count_as_vectors_to_learn_from():
    with pytest.raises(ConfigError, match="has 1 distinct vectors"):
        ivf_pq().build(np.ones((1000, 8), np.float32))


@pytest.mark.parametrize("wrong", [{"nbits": 3}, {"nbits": 13}, {"rescored": 0}, {"nlist": 0}, {"m": 0}])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
        ivf_pq(**wrong)
