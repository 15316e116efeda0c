"""What infer prints of its assumptions."""

import polars as pl

from recsys.infer.__main__ import main


def test_summary_counts_what_was_assumed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # 60 days, 2 rows a day: the last tenth of the rows is 6 days.
    events = pl.DataFrame(
        {
            "": range(120),
            "user_id": [None if row == 3 else row % 6 for row in range(120)],
            "item_id": [row % 10 for row in range(120)],
            "timestamp": [1_704_067_200_000 + 43_200_000 * row for row in range(120)],
            "clicked": [int(row % 3 == 0) for row in range(120)],
            "device": [["tv", "web", "app", "tv", "web"][row % 5 * row % 5] for row in range(120)],
        }
    )
    events.write_csv("events.csv")
    assert main(["events.csv", "--out", "."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "rows: 120, 1 without one of user_id, item_id, timestamp",
        "users: 6 by 'user_id'",
        "items: 10 by 'item_id'",
        "positives: 39, where 'clicked' is 1",  # of the 119 rows with all ids: row 3 is one of the 40
        "time: 'timestamp' from 2024-01-01 00:00:00 to 2024-02-29 12:00:00 UTC, read as ms",
    ]
    assert lines[5].startswith("split: Temporal: 95 training, 12 validation, 12 test rows")
    assert lines[6] == "left out: '' (the number of the row, as pandas writes it)"


def test_summary_without_time_says_that_there_is_no_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"user_id": [row % 6 for row in range(60)], "item_id": [row % 10 for row in range(60)]}).write_csv("events.csv")
    assert main(["events.csv", "--out", "."]) == 0
    printed = capsys.readouterr().out
    assert "time: none, so there is no order" in printed
    assert "positives: 60, every row" in printed
    assert "split: Ratio: 48 training, 6 validation, 6 test rows (at random" in printed
