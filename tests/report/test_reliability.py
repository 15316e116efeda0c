"""The plot of reliability curves, read as SVG."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from recsys.report.reliability import reliability_plot

BINS = [
    {"rows": 50, "predicted": 0.1, "actual": 0.12, "low": 0.05, "high": 0.2},
    {"rows": 50, "predicted": 0.3, "actual": 0.28, "low": 0.2, "high": 0.4},
]
CURVE = {"rows": 100, "positives": 20, "bins": BINS, "smallest": 0.05, "largest": 0.45, "histogram": [60, 30, 10]}
ONE = {"rows": 8, "positives": 0, "bins": [{"rows": 8, "predicted": 0.25, "actual": 0.0, "low": 0.0, "high": 0.3}]}
ONE |= {"smallest": 0.25, "largest": 0.25, "histogram": [8, 0, 0]}


def comments(svg):
    """Texts of a plot: drawn as outlines, each with its words in a comment."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    return [node.text.strip() for node in ElementTree.fromstring(svg, parser).iter() if node.tag is ElementTree.Comment]


def test_plot_is_the_same_in_another_process():
    script = f"from recsys.report.reliability import reliability_plot; print(reliability_plot({{'click': {CURVE!r}}}), end='')"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert reliability_plot({"click": CURVE}) == other


def test_plot_has_a_panel_per_label_that_says_its_rows():
    texts = comments(reliability_plot({"click": CURVE, "conversion": ONE}))
    assert [text for text in texts if text in ("click", "conversion")] == ["click", "conversion"]
    assert "predicted: 100 rows, 5% to 45%" in texts
    assert "predicted: 8 rows, 25% to 25%" in texts


def test_plot_holds_no_date():
    assert "<dc:date>" not in reliability_plot({"click": CURVE})


@pytest.mark.parametrize("number", [1, 3, 4])
def test_any_number_of_labels_is_drawn(number):
    texts = comments(reliability_plot({f"label {place}": CURVE for place in range(number)}))
    assert len([text for text in texts if text.startswith("label ")]) == number


def test_a_label_may_have_a_name_that_reads_as_mathematics():
    assert r"$\nonsense$" in comments(reliability_plot({r"$\nonsense$": CURVE}))


def test_drawing_leaves_the_settings_of_others_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    reliability_plot({"click": CURVE})
    assert dict(matplotlib.rcParams) == before


def test_reading_the_module_does_not_load_matplotlib():
    script = "import sys, recsys.report.reliability; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
