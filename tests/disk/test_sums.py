"""Hashes of a folder: in the format of sha256sum, and read again only where a file was touched."""

import os
import subprocess

import pytest

from recsys.disk import sums
from recsys.disk.sums import CHECKED, SUMS, check_sums, write_sums
from recsys.errors import IntegrityError, ResourceError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.npy").write_bytes(b"abc")
    (tmp_path / "inner" / "b c.npy").write_bytes(b"")
    write_sums(tmp_path)
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """Names of files that are read from now on; a change counts as settled at once."""
    names, read = [], sums.file_sha256
    monkeypatch.setattr(sums, "SETTLED_S", 0.0)
    monkeypatch.setattr(sums, "file_sha256", lambda path: names.append(path.name) or read(path))
    return names


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_file_is_one_that_sha256sum_reads(folder):
    # FIPS 180-2, B.1, and the hash of nothing
    assert (folder / SUMS).read_text() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.npy\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  inner/b c.npy\n"
    )
    assert subprocess.run(["sha256sum", "--check", "--status", SUMS], cwd=folder).returncode == 0


def test_files_as_written_pass(folder):
    check_sums(folder, "remedy")


@pytest.mark.parametrize("bit", range(24))
def test_every_flipped_bit_is_seen(folder, bit):
    flip(folder / "a.npy", bit)
    with pytest.raises(IntegrityError, match=r"1 file .*a\.npy") as refused:
        check_sums(folder, "do this")
    assert (refused.value.exit_code, refused.value.faults[0].where, refused.value.faults[0].remedy) == (4, str(folder), "do this")


def test_flipped_bits_of_the_hashes_themselves_are_seen(folder):
    written = (folder / SUMS).read_bytes()
    for bit in range(8 * len(written)):
        (folder / SUMS).write_bytes(written)
        flip(folder / SUMS, bit)
        with pytest.raises(IntegrityError):
            check_sums(folder, "remedy")


def test_missing_files_are_named_and_an_empty_list_is_none(folder):
    (folder / "inner" / "b c.npy").unlink()
    with pytest.raises(IntegrityError, match=r"inner/b c\.npy"):
        check_sums(folder, "remedy")
    (folder / SUMS).write_text("")
    with pytest.raises(IntegrityError, match=SUMS):
        check_sums(folder, "remedy")


def test_second_check_reads_nothing(folder, reads):
    check_sums(folder, "remedy")
    assert sorted(reads) == ["a.npy", "b c.npy"]
    check_sums(folder, "remedy")
    assert len(reads) == 2


def test_content_that_changed_under_its_old_size_and_time_is_read_again(folder, reads):
    check_sums(folder, "remedy")
    before = (folder / "a.npy").stat()
    flip(folder / "a.npy", 3)
    os.utime(folder / "a.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(IntegrityError, match=r"a\.npy"):
        check_sums(folder, "remedy")
    assert reads[2:] == ["a.npy"]


def test_file_that_was_just_written_is_read_again(folder, reads, monkeypatch):
    monkeypatch.setattr(sums, "SETTLED_S", 60.0)
    for _ in range(2):
        check_sums(folder, "remedy")
    assert len(reads) == 4


@pytest.mark.parametrize("content", [b"\xff", b"[]", b'{"a.npy": 3}'])
def test_memory_that_cannot_be_read_is_made_anew(folder, reads, content):
    (folder / CHECKED).write_bytes(content)
    for _ in range(2):
        check_sums(folder, "remedy")
    assert len(reads) == 2


def test_folder_that_may_only_be_read_is_read_each_time(folder, reads, monkeypatch):
    def refuse(path, content):
        raise ResourceError

    monkeypatch.setattr(sums, "write_whole", refuse)
    for _ in range(2):
        check_sums(folder, "remedy")
    assert len(reads) == 4
