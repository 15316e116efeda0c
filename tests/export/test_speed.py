"""How long a request takes."""

import pytest

from recsys.export.requests import p50_ratio


class Graph:
    """Moves a clock on by `seconds` at each request, a hundredfold at every third, and notes who was asked what."""

    def __init__(self, name, seconds, clock, asked):
        self.name, self.seconds, self.clock, self.asked = name, seconds, clock, asked

    def run(self, outputs, feed):
        self.asked.append((self.name, feed))
        self.clock[0] += self.seconds * (100 if feed == "slow" else 1)


@pytest.fixture
def timed(monkeypatch):
    clock, asked = [0.0], []
    monkeypatch.setattr("recsys.export.requests.time.perf_counter", lambda: clock[0])
    ratio = p50_ratio(Graph("before", 2.0, clock, asked), Graph("after", 3.0, clock, asked), ["items"], ["quick", "brisk", "slow"])
    return ratio, asked


def test_ratio_is_that_of_the_medians(timed):
    assert timed[0] == pytest.approx(1.5)  # a third of the requests takes a hundred times as long, and moves no median


def test_graphs_take_turns_in_being_first(timed):
    asked = timed[1]
    assert [name for name, _ in asked[:4]] == ["after", "before", "before", "after"]
    assert [feed for _, feed in asked[:8]] == ["quick", "quick", "brisk", "brisk", "slow", "slow", "quick", "quick"]
