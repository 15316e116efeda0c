"""Sections that every task has: data, cost and limits."""

import json

from recsys.report.data import data_section
from recsys.report.run import cost_section, limits_section
from recsys.run.directory import RunDirectory


def changed(run, name, **more):
    document = json.loads((run / name).read_text())
    (run / name).write_text(json.dumps(document | more))
    return RunDirectory.open(run)


def test_data_are_told_with_counts_and_dates(retrieval):
    section = data_section(RunDirectory.open(retrieval("a")))
    assert "Split: Temporal (val_days 7, test_days 7)." in section.text[0]
    assert "Validation starts 2025-03-16 23:51, the test 2025-03-23 23:51 UTC." in section.text[0]
    assert section.parts[0].rows[2] == ("test", 10, 4, 3, 4, 1, 0)


def test_cost_is_told_by_stage(retrieval):
    run = RunDirectory.open(retrieval("a"))
    section = cost_section(run)
    assert section.parts[0].rows[1] == ("training", 60.0, 0.6)
    assert section.text[0].startswith("120,000 rows of training, 2,000 a second. Peak memory 842.1 MB.")
    assert "Energy: 2.0 Wh by the CPU" in section.text[0]  # 7,200 J


def test_energy_that_is_not_known_is_not_told(retrieval):
    run = changed(retrieval("a"), "cost.json", energy_joules={})
    assert "energy is not known" in cost_section(run).text[0]


def lines(run):
    (grid,) = limits_section(run, ["a limit of the task"]).parts
    return [line for (line,) in grid.rows]


def test_limits_name_what_was_not_tested(retrieval):
    told = " ".join(lines(RunDirectory.open(retrieval("a"))))
    assert "10.0 % of the test rows have users that training never saw" in told
    assert "items that training never saw" not in told
    assert "Trained on CPUs" in told
    assert "simulated" not in told


def test_code_that_was_not_committed_is_a_limit(retrieval):
    run = changed(retrieval("a"), "lineage.json", git={"commit": "ab" * 20, "dirty": True})
    assert "Code was changed and not committed: the commit alone does not make the run again." in lines(run)


def test_the_cost_of_a_run_that_went_on_is_that_of_its_last_part(retrieval):
    told = cost_section(changed(retrieval("a"), "lineage.json", resumed=[{}, {}])).text[0]
    assert "went on 2 times: all this is of the last part alone" in told
    assert "went on" not in cost_section(RunDirectory.open(retrieval("b"))).text[0]
