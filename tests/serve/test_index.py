"""Answers of an index as a server asks for them."""

import subprocess
import sys
import threading

import faiss
import numpy as np
import pytest

from recsys.export.index.hnsw import HNSW
from recsys.export.index.ivf_pq import IVFPQ
from recsys.serve.manifest import BundleError
from recsys.serve.search import Index

VECTORS = np.array([[0, 0], [1, 0], [0, 1], [1, 0], [2, 0], [1, 0]], np.float32)  # 1, 3 and 5 are one vector
RIGHT, UP = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)


@pytest.fixture(scope="module")
def content():
    return HNSW(m=4, ef_construction=10, ef_search=[10], k=2, min_recall=0.9, seed=0).build(VECTORS)


@pytest.fixture(scope="module")
def cells():
    vectors = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    return IVFPQ(nlist=8, m=2, nbits=4, rescored=2, nprobe=[8], k=5, min_recall=0.5, seed=0).build(vectors)


def test_equal_scores_stand_in_catalogue_order(content):
    scores, at = Index(content, {}).search(RIGHT, 5)
    assert at.tolist() == [[4, 1, 3, 5, 2]]
    assert scores.tolist() == [[2, 1, 1, 1, 0]]
    assert (scores.dtype, at.dtype) == (np.float32, np.int64)


def test_equal_scores_of_different_vectors_stand_in_catalogue_order(content):
    assert Index(content, {}).search(UP, 5)[1].tolist() == [[2, 1, 3, 4, 5]]  # 4 has another vector than 1, 3 and 5


def test_list_that_ends_among_twins_holds_the_first_of_them(content):
    assert Index(content, {}).search(RIGHT, 3)[1].tolist() == [[4, 1, 3]]


def test_places_beyond_the_catalogue_are_empty(content):
    scores, at = Index(content, {}).search(RIGHT, 7)
    assert at[0, 5:].tolist() == [-1, -1]
    assert scores[0, 5:].tolist() == [-np.inf, -np.inf]


def test_each_row_has_its_own_answer(content):
    rows = np.concatenate([UP, RIGHT, UP]).astype(np.float64)  # any float is taken
    assert Index(content, {}, threads=2).search(rows, 1)[1].tolist() == [[2], [4], [2]]


def test_no_rows_have_no_answers(content):
    scores, at = Index(content, {}).search(np.empty((0, 2), np.float32), 3)
    assert scores.shape == at.shape == (0, 3)


def test_setting_reaches_faiss(content, cells):
    assert Index(content, {"ef_search": 77}).index.hnsw.efSearch == 77
    assert faiss.extract_index_ivf(Index(cells, {"nprobe": 3}).index).nprobe == 3


@pytest.mark.parametrize("name", ["nprobe", "efSearch", "ef_serach", "verbose"])
def test_unknown_parameter_is_refused(content, name):
    with pytest.raises(ValueError, match=rf"got a parameter '{name}'; this index \(IndexHNSWFlat\) has no such setting"):
        Index(content, {name: 5})


def test_parameter_of_the_other_kind_is_refused(cells):
    with pytest.raises(ValueError, match="got a parameter 'ef_search'; this index"):
        Index(cells, {"ef_search": 5})


def test_index_of_another_program_is_refused():
    with pytest.raises(BundleError, match=r"is not an index that faiss [\d.]+ reads"):
        Index(b"no index", {})


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_index_that_was_cut_is_refused(content, share):
    with pytest.raises(BundleError, match="export the run again"):
        Index(content[: int(share * len(content))], {})


def test_without_faiss_it_says_what_to_install(content, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(BundleError, match=r"pip install faiss-cpu"):
        Index(content, {})


def test_threads_ask_one_index_at_once(cells):
    index, queries = Index(cells, {"nprobe": 8}), np.random.default_rng(1).standard_normal((64, 4)).astype(np.float32)
    expected, answers = index.search(queries, 5)[1], {}
    workers = [
        threading.Thread(target=lambda row=row: answers.update({row: index.search(queries[row : row + 1], 5)[1]})) for row in range(64)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all((answers[row][0] == expected[row]).all() for row in range(64))


def test_searching_imports_no_torch(content, tmp_path):
    (tmp_path / "index.faiss").write_bytes(content)
    code = (
        "import sys; from pathlib import Path; import numpy as np; from recsys.serve.search import Index\n"
        "print('faiss' in sys.modules)\n"
        f"index = Index(Path({str(tmp_path / 'index.faiss')!r}).read_bytes(), {{}})\n"
        "print(index.search(np.array([[1, 0]]), 1)[1].tolist())\n"
        "print([name for name in ('torch', 'polars', 'onnx', 'recsys.index', 'recsys.errors') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["False", "[[4]]", "[]"]
