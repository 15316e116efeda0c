import json
import shutil
from xml.etree import ElementTree

import pytest

from recsys.report.content import Figure, Grid
from recsys.report.run import publish_result, report_of, write_page


def parts(report):
    return [part for section in report.sections for part in section.parts]


def test_a_retrieval_report_has_its_sections_in_order(retrieval):
    report = report_of(retrieval("a"))
    assert report.title == "Retrieval on shop"
    assert [section.name for section in report.sections] == [
        *("results", "slices", "examples", "embeddings", "curves", "data", "cost", "limits"),
    ]
    named = {"headline", "baselines", "slices", "recall_by_popularity", "examples", "embeddings", "cost", "data"}
    assert named <= {part.name for part in parts(report)}


def test_a_ranking_report_has_its_sections_in_order(ranking):
    report = report_of(ranking("a"))
    assert [section.name for section in report.sections] == [
        *("results", "calibration", "task_confusion", "slices", "mistakes", "curves", "data", "cost", "limits"),
    ]
    assert report.verdict.split("\n")[0].startswith("click: two_tower is ahead of every baseline: auc 0.7200 against 0.5000 of prior")


@pytest.mark.parametrize("task", ["retrieval", "ranking"])
def test_every_part_is_well_formed_and_named_once(request, task):
    report = report_of(request.getfixturevalue(task)("a"))
    names = [part.name for part in parts(report)]
    assert len(names) == len(set(names))
    assert len({section.name for section in report.sections}) == len(report.sections)
    for part in parts(report):
        if isinstance(part, Figure):
            assert ElementTree.fromstring(part.svg).tag == "{http://www.w3.org/2000/svg}svg"
            assert len(part.alt) > 20
        else:
            assert isinstance(part, Grid)
            assert part.rows
            assert {len(row) for row in part.rows} == {len(part.columns)}


def test_facts_say_what_was_trained_on_what(retrieval):
    facts = dict(report_of(retrieval("a")).facts)
    assert facts["Data"] == "shop: 30 rows, 6 users, 8 items"
    assert facts["Tested on"] == "4 users, 2025-03-23 to 2025-03-30"
    assert facts["Time"] == "1 min 0 s of training, 1 min 40 s in all"
    assert facts["Code"] == "abababababab"


@pytest.mark.parametrize("task", ["retrieval", "ranking"])
def test_a_report_is_the_same_wherever_the_run_lies(request, task, tmp_path):
    run = request.getfixturevalue(task)("a")
    shutil.copytree(run, tmp_path / "elsewhere" / "a")
    assert report_of(run) == report_of(tmp_path / "elsewhere" / "a")


def test_the_page_is_the_same_each_time(retrieval):
    run = retrieval("a")
    before = {path.name for path in run.iterdir()}
    first = write_page(run).read_bytes()
    assert write_page(run).read_bytes() == first
    assert {path.name for path in run.iterdir()} == before | {"report.html"}


METRICS = {"test/recall@20": 0.1, "baseline/ease/test/recall@20": 0.05}


def test_result_is_on_disk_in_the_log_and_on_the_terminal(tmp_path, capsys):
    (tmp_path / "train.log").write_text("earlier\n")
    publish_result(METRICS, tmp_path, task="retrieval", model="two_tower", notes=["baseline item_knn skipped: too many items"])
    assert json.loads((tmp_path / "metrics.json").read_text()) == METRICS
    log, terminal = (tmp_path / "train.log").read_text(), capsys.readouterr().out
    assert log.startswith("earlier\n")
    for text in (log, terminal):
        assert "recall@20" in text
        assert "0.1000" in text
        assert "baseline item_knn skipped: too many items" in text
    assert "\x1b" not in log
    assert terminal.splitlines()[-1] == f"run: {tmp_path}"


def test_a_page_that_cannot_be_made_fails_no_run(tmp_path, capsys):
    publish_result(METRICS, tmp_path, task="retrieval", model="two_tower", notes=[])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("no report.html: 1 problem: 1. there is no config.yaml")
    assert lines[-1] == f"run: {tmp_path}"


def test_the_page_is_there_when_the_run_ends(retrieval, capsys):
    run = retrieval("a")
    publish_result(METRICS | {"test/users": 4}, run, task="retrieval", model="two_tower", notes=[])
    assert (run / "report.html").exists()
    assert "no report.html" not in capsys.readouterr().out
