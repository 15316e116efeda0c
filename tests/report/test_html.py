"""The page as a browser gets it: nothing from outside, nothing that data could turn into markup."""

import base64
import re
from html.parser import HTMLParser

import pytest

from recsys.report.content import Estimate, Figure, Grid, Report, Section
from recsys.report.html import page
from recsys.report.run import report_of


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def one(*parts, text=(), verdict="good"):
    return Page(page(Report("t", verdict, (("a", "b"),), (Section("s", "S", text, parts),))))


@pytest.mark.parametrize("task", ["retrieval", "ranking"])
def test_no_value_becomes_markup(request, task):
    run = request.getfixturevalue(task)("a")
    parsed = Page(page(report_of(run)))
    assert parsed.of("script") == []
    assert any("<script>alert('x')</script> & \"quoted\"" in text for text in parsed.text)  # shown as it is
    assert not [attributes for _, attributes in parsed.tags if any(name.startswith("on") for name in attributes)]


def test_no_place_of_a_report_lets_markup_in():
    bad = '"><script>alert(1)</script>'
    parts = (
        Figure(bad, bad, "<svg/>", bad),
        Grid(bad, bad, (bad, "b"), ((bad, f"{bad}\n{bad}"),), bad),
        Grid(bad, bad, (bad,), ((bad,),), bad),
    )
    text = page(Report(bad, f"{bad}\n{bad}", ((bad, bad),), (Section(bad, bad, (bad,), parts),)))
    assert "<script" not in text
    assert Page(text).of("script") == []
    assert text.count("&lt;script&gt;") > 20


@pytest.mark.parametrize("task", ["retrieval", "ranking"])
def test_nothing_is_loaded_from_elsewhere(request, task):
    text = page(report_of(request.getfixturevalue(task)("a")))
    parsed = Page(text)
    links = [value for _, attributes in parsed.tags for name, value in attributes.items() if name in ("src", "href")]
    assert links
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)
    assert not re.search(r"@import|url\(", text)
    (policy,) = [meta for meta in parsed.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"].startswith("default-src 'none'")


def test_who_cannot_see_it_can_read_it():
    parsed = one(Figure("f", "A figure", "<svg/>", "what it shows"), Grid("g", "A table", ("name", "value"), (("x", 1.0),)))
    (image,) = parsed.of("img")
    assert image["alt"] == "what it shows"
    assert base64.b64decode(image["src"].partition(",")[2]) == b"<svg/>"
    assert [name for name, _ in parsed.tags if re.fullmatch(r"h\d", name)] == ["h1", "h2"]
    assert {attributes["scope"] for attributes in parsed.of("th")} == {"row", "col"}
    assert parsed.of("html") == [{"lang": "en"}]
    (region,) = [attributes for attributes in parsed.of("div") if attributes.get("role") == "region"]
    assert (region["aria-label"], region["tabindex"]) == ("A table", "0")  # a wide table is scrolled by keyboard too


def test_a_column_of_numbers_is_set_to_the_right():
    parsed = one(Grid("g", "t", ("name", "value", "note"), (("x", 1.0, "a"), ("y", None, "b"))))
    assert [attributes["class"] for attributes in parsed.of("td")] == ["number", "text", "number", "text"]


def test_texts_of_several_lines_become_cards_on_a_phone():
    parsed = one(Grid("g", "t", ("user", "list"), (("x", "1. a\n2. ✓ b"),)))
    assert [attributes["class"] for attributes in parsed.of("div") if "role" in attributes] == ["table cards"]
    assert [attributes.get("class") for attributes in parsed.of("span")[1:]] == [None, "hit"]
    assert parsed.of("td")[0]["data-label"] == "list"


def test_a_grid_of_one_column_is_a_list():
    parsed = one(Grid("g", "Limits", ("limit",), (("a",), ("b",))))
    assert (len(parsed.of("li")), parsed.of("table")) == (2, [])


def test_the_row_of_the_run_stands_out():
    parsed = one(Grid("g", "t", ("name", "value"), (("mine", 1.0), ("other", 2.0)), marks=("own", "")))
    assert [attributes.get("class") for attributes in parsed.of("tr")] == [None, "this", None]
    assert "mine (this run)" in parsed.text


def test_an_estimate_has_its_interval_beside_it():
    parsed = one(Grid("g", "t", ("name", "recall@20"), (("mine", Estimate(0.147, 0.1412, 0.1528)), ("other", Estimate(0.1)))))
    at = parsed.text.index("0.1470 ")
    assert parsed.text[at + 1] == "0.141–0.153"
    assert len(parsed.of("small")) == 1


def test_a_column_of_folders_links_to_them_and_nowhere_else():
    parsed = one(Grid("g", "t", ("trial", "directory"), ((0, "javascript:alert(1)"), (1, None)), folders=1))
    (link,) = [attributes["href"] for attributes in parsed.of("a") if "#" not in attributes["href"]]
    assert link == "./javascript%3Aalert%281%29/"
