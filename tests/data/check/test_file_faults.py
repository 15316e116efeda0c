"""Files that are empty, cut, flipped or not UTF-8, written by hand into a temporary folder."""

import gzip
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.check.file_faults import inspect, unreadable_fault


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"user_id": list(range(1000)), "item_id": [f"i{row}" for row in range(1000)]})


def flip_page(path: Path, column: int) -> None:
    """Turn one bit in the middle of a column's pages."""
    chunk = pq.read_metadata(path).row_group(0).column(column)
    content = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(content)


def test_sound_parquet_has_no_fault_and_says_whether_it_has_checksums(tmp_path: Path, table: pa.Table):
    pq.write_table(table, tmp_path / "with.parquet", write_page_checksum=True)
    pq.write_table(table, tmp_path / "without.parquet")
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "polars.parquet")
    reports = [inspect(tmp_path / name, ["user_id"]) for name in ("with.parquet", "without.parquet", "polars.parquet")]
    assert [report.faults for report in reports] == [(), (), ()]
    assert [report.has_checksums for report in reports] == [True, False, False]


def test_empty_file_is_named(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.touch()
    (fault,) = inspect(path, []).faults
    assert (fault.what, fault.where, fault.remedy) == ("empty file: 0 bytes", str(path), "delete the file, or export it again")


def test_missing_file_is_named(tmp_path: Path):
    (fault,) = inspect(tmp_path / "gone.parquet", []).faults
    assert fault.what == "file cannot be read: No such file or directory"
    assert fault.where == str(tmp_path / "gone.parquet")


@pytest.mark.parametrize("keep", [4, 500, -1])
def test_truncated_parquet_is_named(tmp_path: Path, table: pa.Table, keep: int):
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    path.write_bytes(path.read_bytes()[:keep])
    (fault,) = inspect(path, ["user_id"]).faults
    assert "truncated" in fault.what
    assert (fault.where, fault.remedy) == (str(path), "copy or export it again")


def test_parquet_without_rows_is_named(tmp_path: Path, table: pa.Table):
    path = tmp_path / "a.parquet"
    pq.write_table(table.slice(0, 0), path)
    (fault,) = inspect(path, ["user_id"]).faults
    assert (fault.what, fault.where) == ("no rows in the file", str(path))


def test_flipped_bit_is_found_by_row_group_and_column(tmp_path: Path, table: pa.Table):
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, write_page_checksum=True, compression="none")
    flip_page(path, 1)
    (fault,) = inspect(path, ["user_id", "item_id"]).faults
    assert fault.what.startswith("corrupted page: ")
    assert fault.where == f"{path}, row group 0, column 'item_id'"
    assert fault.remedy == "copy the file again: its bytes are not those that were written"


def test_flipped_bit_in_a_column_nobody_reads_is_no_fault(tmp_path: Path, table: pa.Table):
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, write_page_checksum=True, compression="none")
    flip_page(path, 1)
    assert inspect(path, ["user_id"]).faults == ()
    assert len(inspect(path, None).faults) == 1


def test_bad_utf8_is_found_by_line_and_byte(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes("user_id,brand\n1,é\n".encode() + b"2,caf\xe9\n3,x\n")
    (fault,) = inspect(path, []).faults
    assert fault.what == "not UTF-8: byte 0xe9"
    # 14 bytes of header, 5 of line 2 (é is two), and 5 of line 3 come before it.
    assert fault.where == f"{path}, line 3, byte 24"
    assert "set data.source.encoding" in fault.remedy
    assert inspect(path, [], "latin-1").faults == ()


def test_byte_that_is_not_of_the_encoding_is_found(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"brand\ncaf\xe9\n\x81\n")  # no letter of cp1252
    (fault,) = inspect(path, [], "cp1252").faults
    assert (fault.what, fault.where) == ("not cp1252: byte 0x81", f"{path}, line 3, byte 11")


def test_character_cut_at_the_end_of_the_file_is_found(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\n1" + "é".encode()[:1])
    assert inspect(path, []).faults[0].where == f"{path}, line 2, byte 3"


def test_character_across_blocks_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("recsys.data.check.file_faults.BLOCK_BYTES", 3)
    path = tmp_path / "a.tsv"
    path.write_text("b\né\U0001f600\n", encoding="utf-8")
    assert inspect(path, []).faults == ()
    path.write_bytes(path.read_bytes() + b"x\n\xff")
    assert inspect(path, []).faults[0].where == f"{path}, line 4, byte 11"


def test_compressed_csv_is_read_through(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a\n\xff\n"))
    assert inspect(path, []).faults[0].where == f"{path}, line 2, byte 2"
    path.write_bytes(gzip.compress(b"a\n1\n")[:-6])
    assert inspect(path, []).faults[0].what.startswith("file cannot be read: ")


@pytest.mark.parametrize("content", [b"user_id,item_id", b"user_id,item_id\n", b"user_id,item_id\r\n\n"])
def test_csv_of_a_header_alone_has_no_rows(tmp_path: Path, content: bytes):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (fault,) = inspect(path, []).faults
    assert (fault.what, fault.where) == ("no rows in the file", str(path))


def test_other_text_is_left_alone(tmp_path: Path):
    path = tmp_path / "movies.dat"
    path.write_bytes(b"1::Caf\xe9\n")
    assert inspect(path, []).faults == ()


def test_other_errors_name_the_files(tmp_path: Path):
    fault = unreadable_fault([tmp_path / "a.csv"], pl.exceptions.ComputeError("found more fields than defined\n\nhints"))
    assert (fault.what, fault.where) == ("rows cannot be read: found more fields than defined", str(tmp_path / "a.csv"))
