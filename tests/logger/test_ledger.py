"""Lines of metrics.jsonl are handed on once, in order."""

import json

import pytest

from recsys.logger.ledger import Ledger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def add(path, *lines):
    with path.open("a") as file:
        file.write("".join(lines))


def line(step, **values):
    return json.dumps({"step": step, **values}) + "\n"


def handed_on(ledger):
    found = []
    ledger.forward(lambda row, step: found.append((step, row["trainer/step"])))
    return found


def test_only_what_is_new_is_handed_on(path):
    ledger = Ledger(path, {}, 0)
    assert handed_on(ledger) == []  # there is no file yet
    add(path, line(10, a=1), line(20, a=1))
    assert handed_on(ledger) == [(0, 10), (1, 20)]
    assert handed_on(ledger) == []
    add(path, line(30, a=1))
    assert handed_on(ledger) == [(2, 30)]


def test_half_a_line_waits_for_its_end(path):
    ledger = Ledger(path, {}, 0)
    whole = line(20, a=1)
    add(path, line(10, a=1), whole[:9])
    assert handed_on(ledger) == [(0, 10)]
    add(path, whole[9:])
    assert handed_on(ledger) == [(1, 20)]


def test_what_is_held_is_left_out_whatever_form_its_numbers_have(path):
    add(path, line(10, a=1.0), line(20, a=None), line(30, a=2))
    held = {4: {"trainer/step": 10.0, "a": 1}, 5: {"trainer/step": 20, "a": float("nan")}, 6: {}}
    assert handed_on(Ledger(path, held, 7)) == [(7, 30)]


def test_rows_that_did_not_arrive_are_counted(path):
    add(path, line(10, a=1.5), line(20, a=1))
    ledger = Ledger(path, {}, 0)
    handed_on(ledger)
    assert ledger.missing_from({0: {"trainer/step": 10, "a": 1.5}}) == 1


def test_rows_that_nothing_tells_of_are_the_first_lines(path):
    add(path, *(line(step, a=1) for step in (10, 20, 30, 40)))
    held = {1: {"trainer/step": 20, "a": 1}}
    assert handed_on(Ledger(path, held, 3, unknown=2)) == [(3, 40)]
