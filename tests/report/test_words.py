import pytest

from recsys.report.content import Estimate
from recsys.report.words import cell_text, interval, item_text, readable_size, value_text


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (0.14703, "recall@20", "0.1470"),
        (Estimate(0.14703, 0.1, 0.2), "recall@20", "0.1470"),
        (-0.5, "from", "−0.5000"),
        (0.5, "this − first", "+0.5000"),
        (1_234_567, "rows", "1,234,567"),
        (1_234.56, "rmse", "1,234.6"),
        (12.345, "seconds", "12.3"),
        (0.1218, "share", "12.2 %"),
        (None, "from", "–"),
        ("a", "b", "a"),
    ],
)
def test_numbers_have_the_digits_that_they_need(value, column, text):
    assert cell_text(value, column) == text


def test_an_interval_of_a_difference_has_signs():
    assert interval(Estimate(0.1, -0.02, 0.3), "this − first") == "−0.0200 to +0.3000"
    assert interval(Estimate(0.1, -0.02, 0.3), "auc") == "−0.020–0.300"
    assert interval(Estimate(0.1, None, 0.3), "auc") == interval(None, "auc") == interval("a", "b") == ""


def test_readable_size_chooses_the_unit():
    assert [readable_size(size) for size in (999, 1000, 1_500_000, 2_000_000_000)] == ["999 B", "1.0 kB", "1.5 MB", "2.0 GB"]


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"id": 5, "title": "Tent", "about": "camping"}, "Tent"),
        ({"id": 5, "title": None, "about": "camping"}, "5 (camping)"),
        ({"id": "a", "title": None, "about": ""}, "a"),
    ],
)
def test_an_item_is_told_by_its_title_or_its_id_and_kind(item, text):
    assert item_text(item) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), ([5, None], "5 · unknown"), ([], "none"), (12.5, "12.5"), ("a", "a")])
def test_a_raw_value_is_told_in_few_letters(value, text):
    assert value_text(value) == text
