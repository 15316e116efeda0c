import io

import torch
from rich.console import Console

from recsys.batch import Batch
from recsys.run import progress
from recsys.run.progress import ProgressBars, rows_seen


def batch(item, weight):
    return Batch(
        features={}, labels={}, weight=torch.tensor(weight), user=torch.ones(len(item), dtype=torch.int64), item=torch.tensor(item)
    )


def test_rows_seen_leaves_out_fillers_and_padding():
    assert rows_seen(batch([3, 4, 5], [1.0, 2.0, 0.0])) == 2
    assert rows_seen(batch([[3, 4, 0], [5, 0, 0], [6, 7, 8]], [1.0, 1.0, 0.0])) == 3


def bars(monkeypatch, terminal):
    monkeypatch.setattr(progress, "rows_seen", lambda batch: torch.tensor(1000))
    shown = ProgressBars(metrics=["val/score", "val/absent", "val/score"], refresh_s=0.0)
    shown.console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    return shown


def test_without_a_terminal_an_epoch_is_one_line(fit, monkeypatch):
    shown = bars(monkeypatch, terminal=False)
    fit(shown, scores=[0.25, 0.5])
    lines = shown.console.file.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch   1  loss ")
    assert "  val/score 0.2500  " in lines[0]
    assert "absent" not in lines[0]
    assert lines[0].count("val/score") == 1
    assert lines[0].split("  ")[-2].endswith(" rows/s")
    assert lines[1].startswith("epoch   2  loss ")


def test_on_a_terminal_bars_are_shown_and_taken_away(fit, monkeypatch):
    shown = bars(monkeypatch, terminal=True)
    fit(shown, scores=[0.25, 0.5], steps=3)
    text = shown.console.file.getvalue()
    assert "epoch 2/2" in text
    assert "run" in text
    assert "rows/s" in text
    assert text.count("val/score") == 2
    assert shown.bars is None
    assert text.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text  # the cursor is back


def test_bars_are_taken_away_after_a_failure(fit, monkeypatch):
    shown = bars(monkeypatch, terminal=True)
    try:
        fit(shown, scores=iter_that_fails())
    except RuntimeError:
        assert shown.bars is None
    else:
        raise AssertionError("the fit had to fail")


class iter_that_fails(list):
    def __len__(self):
        return 2

    def __iter__(self):
        yield 0.1
        raise RuntimeError("no second score")
