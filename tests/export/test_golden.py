"""Golden requests are real rows in a person's spelling, with the answers of the graphs."""

import json

import numpy as np
import polars as pl
import pytest

from recsys.export.golden import columns, series
from recsys.export.requests import single
from recsys.serve import BundleError, Retriever
from recsys.serve.golden import processor
from recsys.serve.replay import _index_faults, main, replay
from recsys.serve.retriever import Answer

NONE = -(2**63)


def test_missing_values_are_null_and_lists_lose_their_padding():
    assert series(np.array(["a", ""], dtype=object)).to_list() == ["a", None]
    assert series(np.array([5, NONE])).to_list() == [5, None]
    assert series(np.array([0.5, np.nan], dtype=np.float32)).to_list() == [0.5, None]
    assert series(np.array([[7, NONE, 8, NONE], [NONE] * 4])).to_list() == [[7, None, 8], []]


def test_truth_values_are_written_as_such_and_others_count_as_missing(example):
    found = columns({"vip": np.array([0, 1, 12345]), "age": np.array([0, 1, 2], np.float32)}, example.schema)
    assert found["vip"].to_list() == [False, True, None]
    assert found["age"].to_list() == [0.0, 1.0, 2.0]


def test_golden_requests_cover_unknown_missing_and_excluded(example):
    frame = pl.read_parquet(example.bundle / "golden.parquet")
    assert frame["task"].unique().to_list() == ["retrieval"]
    assert example.manifest["golden"] == {"retrieval": len(frame)} == {"retrieval": 20}
    assert any(str(user).startswith("never seen") for user in frame["user_id"])
    assert frame["exclude"].list.len().to_list() == [0, 3] * 10
    for row in frame.iter_rows(named=True):
        assert not set(row["exclude"]) & set(row["answer/items"])
        assert len(row["answer/items"]) == 12 - len(row["exclude"])
        assert row["answer/scores"] == sorted(row["answer/scores"], reverse=True)


def test_a_bundle_gives_its_golden_answers_again(example):
    said = replay(example.bundle)
    assert said["wrong"] == {"retrieval": []}
    timed = said["latency"]["retriever"]
    assert 0 < timed["p50_ms"] <= timed["p99_ms"]
    assert said["latency"]["start_ms"] > 0


@pytest.fixture
def replayed(example, monkeypatch):
    """A function: sentences of `replay` on answers that a function changed after the retriever was opened."""
    monkeypatch.setattr("recsys.serve.retriever.check_answers", lambda *asked: None)

    def changed(change):
        right = Retriever.recommend
        monkeypatch.setattr(
            Retriever, "recommend", lambda self, *asked, **named: [change(answer) for answer in right(self, *asked, **named)]
        )
        return replay(example.bundle)["wrong"]["retrieval"]

    return changed


def test_another_score_is_noticed(replayed):
    wrong = replayed(lambda answer: answer._replace(scores=[score + 3e-5 for score in answer.scores]))
    assert len(wrong) == 20
    assert "retrieval request 0: item " in wrong[0]


def test_a_score_that_is_not_a_number_is_noticed(replayed):
    assert len(replayed(lambda answer: answer._replace(scores=[float("nan")] * len(answer.scores)))) == 20


def test_a_missing_item_is_noticed(replayed):
    assert "8 items, golden are 9" in replayed(lambda answer: answer._replace(items=answer.items[:-1], scores=answer.scores[:-1]))[1]


def test_items_in_another_order_are_noticed(replayed):
    assert len(replayed(lambda answer: answer._replace(items=answer.items[::-1]))) == 20


def test_a_single_row_has_no_padding():
    raw = {"a": np.array([["x", "", "y", ""], [""] * 4], dtype=object), "b": np.array([[NONE, NONE], [7, NONE]]), "c": np.array([1, 2])}
    raw["vector"] = np.ones((2, 3), np.float32)
    lists = [{column: values.tolist() for column, values in single(raw, row).items()} for row in range(2)]
    assert lists[0] == {"a": [["x", "", "y"]], "b": [[NONE]], "c": [1], "vector": [[1, 1, 1]]}
    assert lists[1] == {"a": [[""]], "b": [[7]], "c": [2], "vector": [[1, 1, 1]]}


class AloneOrWrong:
    """Finds the golden items of a row that is asked alone; in a batch one answer for all, as int8 products may give."""

    def __init__(self):
        self.manifest = {"index": {"recall": 1.0}}
        self.fields = ["item"]

    def recommend(self, rows, k, exclude):
        return [Answer([rows[0]["item"]], [1.0]) for _ in rows]


def test_index_is_asked_one_by_one():
    rows = [{"item": item, "answer/items": [item], "exclude": []} for item in (7, 8, 9)]
    assert _index_faults(AloneOrWrong(), rows, k=1) == []
    others = [row | {"item": 7} for row in rows]
    assert _index_faults(AloneOrWrong(), others, k=1) == ["index finds 0.3333 of the golden items, released with 1.0"]


def test_replay_on_the_command_line_ends_with_1_where_answers_differ(example, replayed, capsys):
    assert main([str(example.bundle)]) == 0
    replayed(lambda answer: answer._replace(items=answer.items[::-1]))
    assert main([str(example.bundle)]) == 1
    assert main([]) == 2
    assert main([str(example.bundle.parent)]) == 4
    assert "holds no manifest.json" in capsys.readouterr().err


def test_manifest_holds_gates_and_latency(example):
    manifest = json.loads((example.bundle / "manifest.json").read_text())
    assert [(gate["gate"], gate["passed"]) for gate in manifest["gates"]] == [("parity", True), ("golden", True)]
    assert set(manifest["latency"]) == {"start_ms", "retriever"}


def test_bundle_that_answers_otherwise_does_not_open(example, monkeypatch):
    right = Retriever.recommend
    monkeypatch.setattr(
        Retriever,
        "recommend",
        lambda self, *rows, **named: [answer._replace(items=answer.items[::-1]) for answer in right(self, *rows, **named)],
    )
    with pytest.raises(BundleError, match="retrieval request 0: item"):
        Retriever(example.bundle)


def test_first_requests_are_readable_without_parquet_and_equal_to_the_others(example):
    frame = pl.read_parquet(example.bundle / "golden.parquet").drop("task").head(3)
    few = json.loads((example.bundle / "golden.json").read_text())
    assert list(few) == ["retrieval"]
    assert few["retrieval"]["tolerance"] == 1e-4
    assert few["retrieval"]["requests"] == frame.to_dicts()
    assert example.manifest["processor"] == processor()
