import errno
import os
from dataclasses import asdict

import polars as pl
import pytest

from recsys.data.store.prepare import changes, content_key, inputs, source_description
from recsys.errors import IntegrityError, ResourceError
from recsys.source.base import Tables


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.bin"
    path.write_bytes(b"0123456789")
    return path


def read(*paths):
    return inputs(Tables(pl.LazyFrame(), files={"interactions": paths}))


def touch(path):
    os.utime(path, ns=(1, 1))


def test_key_follows_content_and_settings_not_the_folder_or_the_clock(table, tmp_path):
    key = content_key(read(table), "settings")
    touch(table)
    assert content_key(read(table), "settings") == key
    assert content_key(read(table), "other") != key
    (tmp_path / "moved").mkdir()
    moved = table.rename(tmp_path / "moved" / table.name)
    assert content_key(read(moved), "settings") == key
    moved.write_bytes(b"0123456780")
    assert content_key(read(moved), "settings") != key


def test_key_depends_on_the_order_of_files(table, tmp_path):
    second = tmp_path / "second.bin"
    second.write_bytes(b"x")
    assert content_key(read(table, second)) != content_key(read(second, table))


def test_large_files_are_known_by_both_ends_size_and_time_of_change(table, monkeypatch):
    monkeypatch.setattr("recsys.data.store.prepare.WHOLE_BYTES", 5)
    monkeypatch.setattr("recsys.data.store.prepare.BLOCK_BYTES", 2)
    touch(table)
    before = read(table)[0]
    table.write_bytes(b"01xxxxxx89")
    touch(table)
    assert read(table)[0] == before  # what stands between is not read
    table.write_bytes(b"0123456780")
    touch(table)
    assert read(table)[0].sha256 != before.sha256
    assert content_key(read(table)) != content_key((before,))


def test_tables_in_memory_are_known_by_their_values():
    def in_memory(value):
        return inputs(Tables(pl.LazyFrame({"x": [1, value]}), items=pl.LazyFrame({"y": ["a"]})))

    assert content_key(in_memory(2)) == content_key(in_memory(2))
    assert content_key(in_memory(2)) != content_key(in_memory(3))


def test_changes_name_every_file_that_is_not_what_it_was(table, tmp_path):
    gone, same = tmp_path / "gone.bin", tmp_path / "same.bin"
    gone.write_bytes(b"1")
    same.write_bytes(b"2")
    recorded = [asdict(entry) for entry in read(table, gone, same)]
    assert changes(recorded) == []
    table.write_bytes(b"01234567890")
    gone.unlink()
    touch(same)
    first, second = changes(recorded)
    assert (first.where, second.where) == (str(table), str(gone))
    assert "has changed: 10 bytes then, 11 now" in first.what
    assert "is gone" in second.what


def test_changes_see_one_flipped_bit(table):
    recorded = [asdict(entry) for entry in read(table)]
    table.write_bytes(b"0123456788")
    assert "sha256 84d89877f0d4 then" in changes(recorded)[0].what  # printf 0123456789 | sha256sum


def test_sources_differ_by_their_arguments(source):
    first, second = type(source)("a"), type(source)("b")
    assert content_key((), source_description(first)) != content_key((), source_description(second))
    assert content_key((), source_description(first)) == content_key((), source_description(type(source)("a")))


def test_files_that_were_named_from_one_folder_are_found_from_another(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded = [asdict(entry) for entry in read("rows.bin")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert changes(recorded) == []
    table.unlink()
    (fault,) = changes(recorded)
    assert fault.where == str(table)


def test_file_that_may_not_be_read_is_no_damage(table, monkeypatch):
    def refuse(path, *arguments, **named):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(ResourceError, match=rf"Permission denied(.|\n)*{table}(.|\n)*permit"):
        read(table)


def test_file_that_is_gone_meanwhile_is_named(table):
    table.unlink()
    with pytest.raises(IntegrityError, match=rf"{table.name} is missing"):
        read(table)
