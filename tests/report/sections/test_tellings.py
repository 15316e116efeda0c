"""Sections of words: examples, mistakes, data, cost, limits, calibration and the pair."""

import json

import pytest

from recsys.report.sections import calibration, cost, data, examples, limits, mistakes, pair
from recsys.report.sections.examples import item_text, value_text
from recsys.run.files import RunFiles


def changed(run, name, **more):
    document = json.loads((run / name).read_text())
    (run / name).write_text(json.dumps(document | more))
    return RunFiles.open(run)


def test_a_user_is_a_row_with_lists(retrieval):
    (grid,) = examples.section(RunFiles.open(retrieval("a"))).parts
    ((user, had, chose, found, recall),) = grid.rows
    assert user.split("\n")[1] == "DE, tents · <script>alert('x')</script> & \"quoted\""
    assert had.split("\n")[1] == "and 6 more"
    assert len(chose.split("\n")) == 1
    assert [line[:5] for line in found.split("\n")] == ["1. ✓ ", "2. <s"]
    assert recall == 1.0


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


def test_a_mistake_is_told_with_what_was_known(ranking):
    (grid,) = mistakes.section(RunFiles.open(ranking("a"))).parts
    (row,) = grid.rows
    assert row[:4] == ("click", "missed", 0.01, 1)
    assert row[5] == "user 7, device <script>alert('x')</script> & \"quoted\", history 5 · unknown"


def test_data_are_told_with_counts_and_dates(retrieval):
    section = data.section(RunFiles.open(retrieval("a")))
    assert "Split: Temporal (val_days 7, test_days 7)." in section.text[0]
    assert "Validation starts 2025-03-16 23:51, the test 2025-03-23 23:51 UTC." in section.text[0]
    assert section.parts[0].rows[2] == ("test", 10, 4, 3, 4, 1, 0)


def test_cost_is_told_by_stage(retrieval):
    run = RunFiles.open(retrieval("a"))
    section = cost.section(run)
    assert section.parts[0].rows[1] == ("training", 60.0, 0.6)
    assert section.text[0].startswith("120,000 rows of training, 2,000 a second. Peak memory 842.1 MB.")
    assert "Energy: 2.0 Wh by the CPU" in section.text[0]  # 7,200 J


def test_energy_that_is_not_known_is_not_told(retrieval):
    run = changed(retrieval("a"), "cost.json", energy_joules={})
    assert "does not tell what energy it uses" in cost.section(run).text[0]


def lines(run):
    (grid,) = limits.section(run).parts
    return [line for (line,) in grid.rows]


def test_limits_name_what_was_not_tested(retrieval):
    told = " ".join(lines(RunFiles.open(retrieval("a"))))
    assert "10.0 % of the test rows have users that training never saw" in told
    assert "items that training never saw" not in told
    assert "Trained on CPUs" in told
    assert "simulated" not in told


def test_code_that_was_not_committed_is_a_limit(retrieval):
    run = changed(retrieval("a"), "lineage.json", git={"commit": "ab" * 20, "dirty": True})
    assert "Code was changed and not committed: the commit alone does not make the run again." in lines(run)


def test_a_label_of_one_class_is_a_limit(ranking):
    path = ranking("a")
    run = changed(path, "metrics.json", **{"test/buy/positives": 0})
    assert any(line.startswith("buy has rows of one class alone") for line in lines(run))


def test_calibration_counts_groups_off_the_diagonal(ranking):
    *_, grid = calibration.section(RunFiles.open(ranking("a"))).parts
    assert grid.rows == (("click", 400, 180, 1, 1, 0.4, 0.45),)  # 0.4 lies outside 0.41 to 0.5


def test_a_pair_is_told_where_there_is_one(ranking):
    run = ranking("a")
    assert pair.section(RunFiles.open(run)) is None
    found = {"pair/test/candidates": 200, "pair/test/users": 7, "pair/retriever/test/recall@20": 0.1, "pair/test/recall@20": 0.2}
    section = pair.section(changed(run, "metrics.json", **found))
    assert section.parts[0].rows == (("retriever", 0.1, None, None), ("pair", 0.2, None, None))
    assert section.text[0].startswith("7 test users. Of what the test users chose, ranking finds recall@20 0.2000 instead of 0.1000")


def test_the_cost_of_a_run_that_went_on_is_that_of_its_last_part(retrieval):
    told = cost.section(changed(retrieval("a"), "lineage.json", resumed=[{}, {}])).text[0]
    assert "went on 2 times: all this is of the last part alone" in told
    assert "went on" not in cost.section(RunFiles.open(retrieval("b"))).text[0]
