"""Files of requests from the command line."""

import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.serve.__main__ import main


@pytest.fixture
def retriever(written, tmp_path):
    return written(tmp_path / "bundle", ("retriever.onnx",))


@pytest.fixture
def ranker(written, tmp_path):
    return written(tmp_path / "bundle", ("ranker.onnx",))


def ask(bundle, folder, columns, *options):
    """Exit code for this file of requests."""
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), folder / "in.parquet")
    return main([str(bundle), "--requests", str(folder / "in.parquet"), "--out", str(folder / "out.parquet"), *options])


def answers(folder, name="out"):
    return pq.read_table(folder / f"{name}.parquet").to_pydict()


def test_retrieval_answers_lists_and_leaves_excluded_out(retriever, tmp_path, capsys):
    columns = {"history": [["c", "c", "b"], None], "exclude": [["b"], ["a", "b"]]}
    assert ask(retriever, tmp_path, columns, "--k", "2") == 0
    assert answers(tmp_path) == {"items": [["c", "a"], ["c"]], "scores": [[2.0, 0.0], [0.0]]}
    assert capsys.readouterr().out == f"{tmp_path / 'out.parquet'}: 2 requests answered\n"


def test_ranking_answers_a_column_per_label(ranker, tmp_path):
    assert ask(ranker, tmp_path, {"price": [1.0, 3.0, None], "item_id": ["a", "b", None]}) == 0
    assert answers(tmp_path) == {"click": pytest.approx([0.1, 0.3, 0.0]), "buy": pytest.approx([0.9, 0.7, 1.0])}


def test_many_batches_answer_like_one(ranker, tmp_path, monkeypatch):
    monkeypatch.setattr("recsys.serve.__main__.BLOCK", 10)
    columns = {"price": [float(row % 10) for row in range(35)]}
    assert ask(ranker, tmp_path, columns, "--batch-size", "3") == 0
    assert answers(tmp_path)["click"] == pytest.approx([row % 10 / 10 for row in range(35)])
    assert ask(ranker, tmp_path, {"price": pa.array([], pa.float64())}) == 0
    assert answers(tmp_path) == {"click": [], "buy": []}


def test_bad_rows_are_null_counted_shown_and_written(ranker, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("recsys.serve.__main__.BLOCK", 4)
    prices = [float("inf") if row in (1, 2, 3, 5, 8, 9) else 1.0 for row in range(10)]
    assert ask(ranker, tmp_path, {"price": prices}, "--errors", str(tmp_path / "bad.parquet"), "--batch-size", "2") == 0
    assert [row for row, value in enumerate(answers(tmp_path)["click"]) if value is None] == [1, 2, 3, 5, 8, 9]
    bad = answers(tmp_path, "bad")
    assert bad["row"] == [1, 2, 3, 5, 8, 9]
    assert (bad["field"][0], bad["got"][0], bad["want"][0]) == ("price", "inf (float)", "a finite number")
    printed = capsys.readouterr()
    assert printed.out.endswith("out.parquet: 4 requests answered, 6 bad ones not\n")
    assert printed.err.count("bad: row") == 5
    assert "bad: row 5, 'price': got inf (float); want a finite number" in printed.err
    assert f"and 1 more; see {tmp_path / 'bad.parquet'}" in printed.err


def test_moments_of_nanoseconds_are_read(ranker, tmp_path):
    moments = pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns"))
    assert ask(ranker, tmp_path, pa.table({"joined": moments, "price": [1.0, 2.0]})) == 0
    assert answers(tmp_path)["click"] == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "the bundle answers retrieval and ranking; add --task"),
        (("--task", "ranking", "--errors", "OUT"), "name one file twice"),
        (("--task", "ranking", "--errors", "/nowhere/bad.parquet"), "there is no folder /nowhere; make it first"),
    ],
)
def test_wrong_usage_exits_with_2_and_leaves_nothing(bundle, tmp_path, capsys, options, message):
    options = [str(tmp_path / "out.parquet") if option == "OUT" else option for option in options]
    assert ask(bundle, tmp_path, {"price": [1.0]}, *options) == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["in.parquet"]


def test_task_that_the_bundle_lacks_is_refused(ranker, tmp_path, capsys):
    assert ask(ranker, tmp_path, {"price": [1.0]}, "--task", "retrieval") == 2
    assert "--task retrieval: the bundle answers ranking" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "x", "1.5"])
def test_count_that_is_none_is_refused(ranker, tmp_path, capsys, number):
    with pytest.raises(SystemExit, match="2"):
        ask(ranker, tmp_path, {"price": [1.0]}, "--k", number)
    assert "argument --k" in capsys.readouterr().err


def test_column_that_does_not_exist_exits_with_3_and_leaves_the_old_answers(ranker, tmp_path, capsys):
    (tmp_path / "out.parquet").write_text("old")
    assert ask(ranker, tmp_path, {"prise": [1.0]}) == 3
    assert "in.parquet: rows: got a field 'prise'" in capsys.readouterr().err
    assert (tmp_path / "out.parquet").read_text() == "old"
    assert sorted(name for name in os.listdir(tmp_path) if not name.startswith("bundle")) == ["in.parquet", "out.parquet"]


def test_file_that_is_no_parquet_exits_with_3(ranker, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("price\n1\n")
    assert main([str(ranker), "--requests", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.parquet")]) == 3
    assert "in.csv: Parquet magic bytes not found" in capsys.readouterr().err


def test_answers_that_cannot_be_written_blame_no_request(ranker, tmp_path, capsys):
    (tmp_path / "out.parquet").mkdir()
    assert ask(ranker, tmp_path, {"age": [1.0]}) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "out.parquet") in said
    assert "in.parquet" not in said


def test_damaged_bundle_exits_with_4(ranker, tmp_path, capsys):
    (ranker / "ranker.onnx").write_bytes((ranker / "ranker.onnx").read_bytes()[::-1])
    assert ask(ranker, tmp_path, {"price": [1.0]}) == 4
    assert "ranker.onnx is not the exported file" in capsys.readouterr().err


def test_module_runs_and_help_says_what_a_stranger_needs():
    done = subprocess.run([sys.executable, "-m", "recsys.serve", "--help"], capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in ("--requests", "--errors", "exclude", "exit codes", "one row per request"))
