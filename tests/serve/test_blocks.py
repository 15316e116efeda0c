"""Files of requests whose rows take far more memory than the file has bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.serve.__main__ import main
from recsys.serve.blocks import ROW_BYTES, calls, large_rows, value_bytes

HOME = Path(__file__).parents[2]
PEAK = """
import json, resource, sys
from recsys.serve.__main__ import main
import pyarrow.parquet, rich.progress, onnxruntime
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
code = main(sys.argv[1:])
print(json.dumps([code, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024]))
"""


def equal_entries(*lengths, entry="c"):
    """Lists of one text again and again, which parquet writes as runs."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    entries = pa.DictionaryArray.from_arrays(pa.array(np.zeros(offsets[-1], np.int32)), pa.array([entry]))
    return pa.ListArray.from_arrays(pa.array(offsets), entries)


def ask(bundle, folder, columns, *options):
    """Exit code, bytes of memory that the requests took, and what was printed, of a process of its own."""
    pq.write_table(pa.table(columns), folder / "in.parquet", compression="zstd")
    command = [str(bundle), "--requests", str(folder / "in.parquet"), "--out", str(folder / "out.parquet"), *options]
    environment = {**os.environ, "PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, env=environment, timeout=120)
    return *json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture
def retriever(written, tmp_path):
    return written(tmp_path / "bundle", ("retriever.onnx",))


@pytest.mark.parametrize("column", ["history", "exclude"])
def test_one_list_of_30_million_entries_is_refused_for_little_memory(retriever, tmp_path, column):
    code, grown, stderr = ask(retriever, tmp_path, {column: equal_entries(30_000_000)})
    assert (tmp_path / "in.parquet").stat().st_size < 1_500
    assert code == 3
    assert f"column '{column}.list.element': got 30,000,000 entries in 1 rows" in stderr
    assert grown < 100e6
    assert not (tmp_path / "out.parquet").exists()


def test_a_long_list_among_others_is_one_bad_row_and_the_others_are_answered(retriever, tmp_path):
    lengths = [2] * 100
    lengths[70] = 5_000_000
    code, grown, stderr = ask(
        retriever, tmp_path, {"history": equal_entries(*lengths)}, "--k", "1", "--errors", str(tmp_path / "bad.parquet")
    )
    assert (code, pq.read_table(tmp_path / "bad.parquet")["row"].to_pylist()) == (0, [70])
    answered = pq.read_table(tmp_path / "out.parquet")["items"].to_pylist()
    assert [row for row, items in enumerate(answered) if items != ["c"]] == [70]
    assert answered[70] is None
    assert "bad: row 70, 'history'" in stderr
    assert grown < 400e6  # 5 million Python texts and their list alone: 40 MB of places, and 64 rows a call


def test_a_long_text_in_every_row_is_taken_a_few_at_a_time(retriever, tmp_path):
    text = "x" * (ROW_BYTES // 4)
    columns = {"history": equal_entries(*[1] * 400, entry=text)}
    code, grown, _ = ask(retriever, tmp_path, columns, "--k", "1")
    assert code == 0
    assert len(pq.read_table(tmp_path / "out.parquet")) == 400
    assert grown < 400e6  # 1.7 GB, were they made at once


def test_bytes_of_a_value_count_its_entries_and_their_texts():
    lists = pa.array([["a", "bcd"], None, [], ["e"]])
    want = [64 + 64 + 1 + 64 + 3, 64, 64, 64 + 64 + 1]
    assert value_bytes(lists).tolist() == want
    assert value_bytes(lists.slice(1)).tolist() == want[1:]
    assert value_bytes(lists.cast(pa.large_list(pa.string()))).tolist() == want
    assert value_bytes(pa.array(["ab", None]).dictionary_encode()).tolist() == [66, 66]  # a null counts as some text: never too few
    assert value_bytes(pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))).tolist() == [192, 192]
    assert value_bytes(pa.array([1.5, None])).tolist() == [64, 64]


def test_a_row_is_too_large_by_all_its_columns_and_the_largest_is_named():
    half = "x" * (ROW_BYTES // 2)
    block = pa.RecordBatch.from_pydict({"a": [half, "x"], "b": [half + "y", None]})
    sizes, faults = large_rows(block, 10)
    assert sizes.tolist() == [0, 64 + 1 + 64]
    assert [(fault.row, fault.field) for fault in faults] == [(10, "b")]


def test_calls_end_by_rows_and_by_bytes():
    half = ROW_BYTES // 2 + 1
    assert list(calls([1] * 5, 2)) == [(0, 2), (2, 2), (4, 1)]
    assert list(calls([half, half, 1, half], 9)) == [(0, 1), (1, 2), (3, 1)]
    assert list(calls([], 9)) == []


def test_row_groups_that_are_too_large_are_named(retriever, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("recsys.serve.blocks.GROUP_VALUES", 99)
    pq.write_table(pa.table({"history": [["a"]] * 100}), tmp_path / "in.parquet")
    command = [str(retriever), "--requests", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.parquet")]
    assert main(command) == 3
    assert "got 100 entries" in capsys.readouterr().err
    pq.write_table(pa.table({"history": [["a"]] * 100}), tmp_path / "in.parquet", row_group_size=50)
    assert main(command) == 0
