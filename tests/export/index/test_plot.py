"""The picture says what the figures say."""

import xml.etree.ElementTree as ElementTree

import pytest

from recsys.export.index.curve import draw
from recsys.report.draw import LOOK

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
