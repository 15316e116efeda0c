"""The saved page of Weights & Biases, built without it; saving needs a server."""

import json

import pytest

from recsys.logger import page
from recsys.logger.destination import Destination
from recsys.report.content import Figure, Grid, Report, Section

wr = pytest.importorskip("wandb_workspaces.reports.v2")
OWN = Destination(id="run-1a2b", project="shops", name="first", artifacts=True, mode="online")
RESULTS = Section(
    "results", "Results", ("On the test.",), (Grid("headline", "Headline", ("a",), ((1,),)), Figure("bars", "Bars", "<svg/>", ""))
)
REPORT = Report("Retrieval on shop", "ease wins.\nBy 3 %.", (("Seed", "3"),), (RESULTS,))


def panels(found):
    return [panel for block in found.blocks if isinstance(block, wr.PanelGrid) for panel in block.panels]


def test_page_says_what_the_report_says_in_its_order():
    found = page.report_page(OWN, REPORT, entity="us")
    assert (found.title, found.project, found.entity) == ("Retrieval on shop: first", "shops", "us")
    assert [block.text for block in found.blocks if isinstance(block, wr.P)] == ["ease wins.", "By 3 %.", "On the test."]
    assert [block.text for block in found.blocks if isinstance(block, wr.H2)] == ["Live curves", "Results"]
    assert [block.items for block in found.blocks if isinstance(block, wr.UnorderedList)] == [["Seed: 3"]]


def test_page_shows_each_table_and_drawing_by_its_name():
    found = panels(page.report_page(OWN, REPORT, entity="us"))
    assert [panel.table_name for panel in found if isinstance(panel, wr.WeavePanelSummaryTable)] == ["headline"]
    assert [panel.media_keys for panel in found if isinstance(panel, wr.MediaBrowser)] == [["bars"]]


def test_curves_are_drawn_by_the_step_of_training():
    lines = [panel for panel in panels(page.report_page(OWN, REPORT, entity="us")) if isinstance(panel, wr.LinePlot)]
    assert [(line.x, line.metric_regex) for line in lines] == [("trainer/step", "^train/.*loss$"), ("trainer/step", "^val/")]


def test_page_shows_this_run_alone():
    from wandb_workspaces.expr import expr_to_filters

    (filters,) = {
        runs.filters
        for block in page.report_page(OWN, REPORT, entity="us").blocks
        if isinstance(block, wr.PanelGrid)
        for runs in block.runsets
    }
    found = expr_to_filters(filters)
    assert (found.key.section, found.key.name, found.op, found.value) == ("run", "name", "=", "run-1a2b")


def test_a_page_saved_again_takes_the_place_of_the_first(tmp_path, monkeypatch):
    saved = []

    def save(report):
        saved.append(report.id)
        report.id = report.id or "page-7"

    monkeypatch.setattr(wr.Report, "save", save)
    page.save_page(tmp_path, OWN, REPORT, entity="us")
    assert json.loads((tmp_path / "wandb.json").read_text())["page"] == "page-7"
    page.save_page(tmp_path, Destination.find(tmp_path), REPORT, entity="us")
    assert saved == ["", "page-7"]
