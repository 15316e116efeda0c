"""What an index puts into a bundle."""

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.export.index.curve import plain_ids, write_index
from recsys.export.index.hnsw import HNSW
from recsys.serve.search import Index

INDEX = HNSW(m=8, ef_construction=40, ef_search=[10, 400], k=5, min_recall=0.99, seed=0)


def test_files_answer_raw_ids_as_the_entry_says(tmp_path, vectors, queries, best):
    ids = np.array(["", *(f"item {row}" for row in range(1, 401))], object)
    entry = write_index(tmp_path, INDEX, vectors, ids, queries, lambda query: None)
    assert {path.name for path in tmp_path.iterdir()} == {"index.faiss", "index_ids.npy", "index.svg"}
    assert entry["chosen"] == {"ef_search": 10} or entry["chosen"] == {"ef_search": 400}
    raw = np.load(tmp_path / "index_ids.npy", allow_pickle=False)
    _, at = Index((tmp_path / "index.faiss").read_bytes(), {"ef_search": 400}).search(queries[:1], 5)
    assert raw[at[0]].tolist() == [f"item {row}" for row in best(vectors, queries[:1], 5)[1][0]]


def test_faiss_reads_the_file_by_itself(tmp_path, vectors, queries):
    import faiss

    write_index(tmp_path, INDEX, vectors, np.arange(401), queries, lambda query: None)
    assert faiss.read_index(str(tmp_path / "index.faiss")).ntotal == 400


def test_integer_ids_stay_integers():
    ids = plain_ids(np.array([-(2**63), 7, 2**53 + 1]))
    assert ids.dtype == np.int64
    assert ids.tolist() == [-(2**63), 7, 2**53 + 1]


def test_string_ids_keep_every_letter():
    ids = plain_ids(np.array(["", "ü", "long " * 10], object))
    assert ids.dtype == np.dtype("<U50")
    assert ids.tolist() == ["", "ü", "long " * 10]


def test_id_that_numpy_would_cut_is_refused():
    with pytest.raises(DataError, match=r"1 item ids end with the character NUL, the first 'a\\x00'"):
        plain_ids(np.array(["", "a\0", "b"], object))
