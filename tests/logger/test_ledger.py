"""Lines of metrics.jsonl are handed on once, in order."""

import json

import pytest

from recsys.logger.ledger import SENT, Ledger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def add(path, *lines):
    with path.open("a") as file:
        file.write("".join(lines))


def line(step, **values):
    return json.dumps({"step": step, **values}) + "\n"


def handed_on(ledger):
    rows = []
    ledger.forward(lambda row, number: rows.append((number, row["trainer/step"])))
    return rows


def test_only_what_is_new_is_handed_on(path):
    ledger = Ledger(path.parent)
    assert handed_on(ledger) == []  # there is no file yet
    add(path, line(10, a=1), line(20, a=1))
    assert handed_on(ledger) == [(0, 10), (1, 20)]
    assert handed_on(ledger) == []
    add(path, line(30, a=1))
    assert handed_on(ledger) == [(2, 30)]


def test_half_a_line_waits_for_its_end(path):
    ledger = Ledger(path.parent)
    whole = line(20, a=1)
    add(path, line(10, a=1), whole[:9])
    assert handed_on(ledger) == [(0, 10)]
    add(path, whole[9:])
    assert handed_on(ledger) == [(1, 20)]


def test_what_another_process_handed_on_is_left_out(path):
    add(path, line(10, a=1.0), line(20, a=None))
    handed_on(Ledger(path.parent))
    add(path, line(30, a=2))
    assert handed_on(Ledger(path.parent)) == [(2, 30)]


def test_a_report_is_a_row(path):
    add(path, line(10, a=1))
    ledger = Ledger(path.parent)
    handed_on(ledger)
    ledger.add_report()
    add(path, line(20, a=1))
    assert handed_on(Ledger(path.parent)) == [(2, 20)]


def test_steps_that_are_written_again_are_added_only_where_they_differ(path):
    add(path, *(line(step, a=step) for step in (10, 20, 30)))
    handed_on(Ledger(path.parent))
    path.write_text(line(10, a=10) + line(20, a=20) + line(30, a=0))  # from a checkpoint at step 20, and with an allowed change
    assert handed_on(Ledger(path.parent)) == [(3, 30)]


def test_rows_that_the_server_lacks_are_handed_on_again(path):
    add(path, *(line(step, a=1) for step in (10, 20, 30)))
    handed_on(Ledger(path.parent, arrived=0))
    assert handed_on(Ledger(path.parent, arrived=1)) == [(1, 20), (2, 30)]
    assert handed_on(Ledger(path.parent, arrived=3)) == []


def test_rows_that_nothing_tells_of_are_the_first_lines(path):
    add(path, *(line(step, a=1) for step in (10, 20, 30, 40)))
    assert handed_on(Ledger(path.parent, arrived=3)) == [(3, 40)]
    assert handed_on(Ledger(path.parent, arrived=4)) == []


def test_half_a_line_of_what_was_handed_on_counts_for_none(path):
    add(path, line(10, a=1), line(20, a=1))
    handed_on(Ledger(path.parent))
    sent = path.parent / SENT
    sent.write_text(sent.read_text()[:-3])
    assert handed_on(Ledger(path.parent)) == [(1, 20)]
