"""Recall by hand, and which setting is chosen."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.export.index import curve
from recsys.export.index.curve import cheapest_setting, draw, index_figures, plain_ids, recall, write_index
from recsys.export.index.hnsw import HNSW
from recsys.export.index.ivf_pq import IVFPQ
from recsys.report.draw import LOOK
from recsys.serve.search import Index

VECTORS = np.array([[9], [3], [2], [2], [1]], np.float32)  # row 0 pads: its 9 is no answer
QUERY = np.ones((1, 1), np.float32)


def hnsw(**changes):
    return HNSW(**{"m": 8, "ef_construction": 40, "ef_search": [10, 40], "k": 5, "min_recall": 0.95, "seed": 0} | changes)


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ([1, 2], 1.0),
        ([1, 3], 1.0),  # 3 ties with 2
        ([2, 3], 1.0),  # both score as much as the second best
        ([1, 4], 0.5),
        ([4, -1], 0.0),
        ([1, -1], 0.5),
        ([1, 0], 0.5),  # padding is a miss
    ],
)
def test_answer_is_right_if_it_scores_as_much_as_the_last_of_the_exact_list(answer, share):
    assert recall(np.array([[answer]]), VECTORS, QUERY).tolist() == [share]


def test_catalogue_smaller_than_k_wants_all_of_it():
    answers = np.array([[[1, 2, 3, 4, -1, -1]], [[1, 2, 3, -1, -1, -1]]])
    assert recall(answers, VECTORS, QUERY).tolist() == [1.0, 0.75]


def test_recall_is_the_mean_over_queries_however_they_are_cut(monkeypatch):
    queries = np.array([[1], [-1], [1]], np.float32)  # the best of -1 are 4, then 2 and 3
    answers = np.array([[[1, 2], [4, 3], [4, 1]], [[4, -1], [1, -1], [1, -1]]])
    monkeypatch.setattr(curve, "SCORES_AT_ONCE", 10)  # two queries at once
    assert recall(answers, VECTORS, queries).tolist() == pytest.approx([5 / 6, 1 / 6])


def test_cheapest_setting_that_finds_enough_is_chosen():
    points = [{"ef_search": setting, "recall": share} for setting, share in ((10, 0.9), (20, 0.95), (40, 0.99))]
    assert cheapest_setting(hnsw(), np.array([0.9, 0.95, 0.99]), points) == {"chosen": {"ef_search": 20}, "recall": 0.95}


def test_recall_that_only_rounds_to_the_limit_is_not_enough():
    points = [{"ef_search": 10, "recall": 0.95}]
    assert cheapest_setting(hnsw(), np.array([0.9499999]), points)["chosen"] is None


def test_refusal_names_the_best_recall_and_what_to_do():
    points = [{"ef_search": setting, "recall": share} for setting, share in ((10, 0.9), (20, 0.94), (40, 0.93))]
    found = cheapest_setting(hnsw(), np.array([0.9, 0.94, 0.93]), points)
    assert (found["chosen"], found["recall"]) == (None, 0.94)
    assert found["refusal"].startswith(
        "hnsw finds 0.9400 of the best 5 at ef_search=20, its best setting; want min_recall=0.95: add larger"
    )


def test_every_setting_is_measured_beside_exact_search(vectors, queries):
    index, asked = hnsw(), []
    entry = index_figures(index, index.build(vectors), vectors, queries, lambda query: asked.append(query.shape))
    assert [point["ef_search"] for point in entry["curve"]] == [10, 40]
    assert all(0 < point["p50_ms"] <= point["p99_ms"] for point in entry["curve"])
    assert entry["curve"][1]["recall"] == 1.0
    assert set(asked) == {(1, 8)}
    assert entry["exact_p50_ms"] > 0
    assert (entry["kind"], entry["k"], entry["min_recall"], entry["queries"]) == ("hnsw", 5, 0.95, 50)
    assert entry["recall"] >= 0.95
    assert "refusal" not in entry


def test_index_that_finds_too_little_is_refused(vectors, queries):
    index = IVFPQ(nlist=40, m=2, nbits=4, rescored=1, nprobe=[1, 2], k=20, min_recall=0.995, seed=0)
    entry = index_figures(index, index.build(vectors), vectors, queries, lambda query: None)
    assert entry["chosen"] is None
    assert entry["recall"] == entry["curve"][1]["recall"] < 0.9
    assert f"finds {entry['recall']:.4f} of the best 20 at nprobe=2" in entry["refusal"]


def test_no_queries_are_refused(vectors):
    with pytest.raises(ValueError, match="recall is measured on queries, got none"):
        index_figures(hnsw(), b"", vectors, np.empty((0, 8), np.float32), lambda query: None)


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


CURVE = [
    {"ef_search": 100, "recall": 0.97, "p50_ms": 0.2, "p99_ms": 0.4},
    {"ef_search": 200, "recall": 0.997, "p50_ms": 0.5, "p99_ms": 0.9},
]
ENTRY = {"kind": "hnsw", "k": 100, "min_recall": 0.995, "queries": 1000, "chosen": {"ef_search": 200}, "curve": CURVE, "exact_p50_ms": 3.0}


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """Every text of a picture, letters kept as letters."""
    monkeypatch.setitem(LOOK, "svg.fonttype", "none")

    def read(entry):
        draw(entry, tmp_path / "index.svg")
        return ["".join(each.itertext()) for each in ElementTree.parse(tmp_path / "index.svg").iter("{http://www.w3.org/2000/svg}text")]

    return read


def test_axes_settings_and_limits_are_named(texts):
    found = texts(ENTRY)
    assert {"100", "200", "recall of the exact best 100", "median latency of one query on one thread [ms, log scale]"} <= set(found)
    assert "chosen: ef_search=200, recall 0.9970, 0.50 ms" in found
    assert "wanted: recall of 0.995" in found
    assert "exact search: recall 1, 3.00 ms" in found


def test_nothing_is_marked_where_nothing_was_chosen(texts):
    assert not [text for text in texts(ENTRY | {"chosen": None}) if "chosen" in text]


def test_same_figures_give_the_same_bytes(tmp_path):
    draw(ENTRY, tmp_path / "one.svg")
    draw(ENTRY, tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("recall", [0.0, 1.0])
@pytest.mark.parametrize("min_recall", [0.5, 1.0])
def test_curve_of_one_point_at_the_edge_is_drawn(tmp_path, recall, min_recall):
    draw(ENTRY | {"curve": [CURVE[0] | {"recall": recall}], "chosen": None, "min_recall": min_recall}, tmp_path / "index.svg")
    assert ElementTree.parse(tmp_path / "index.svg").getroot().tag.endswith("svg")
