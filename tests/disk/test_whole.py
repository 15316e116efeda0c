"""Files appear whole: in the order write, sync, rename, sync of the folder."""

import errno
import os

import pytest
from safetensors import SafetensorError

from recsys.disk import file_sha256, move_synced, require_writable, sync, whole_file, write_whole, writing
from recsys.errors import ResourceError


@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), SafetensorError("I/O error: Read-only file system")])
def test_what_keeps_from_writing_is_said_with_place_and_space(tmp_path, error):
    said = rf"Read-only file system, with [\d,]+ bytes free\n    where: {tmp_path}/new/a"
    with pytest.raises(ResourceError, match=said), writing(tmp_path / "new" / "a"):
        raise error


def test_too_many_open_files_are_no_lack_of_space(tmp_path):
    with pytest.raises(ResourceError, match="fix: raise the limit of open files"), writing(tmp_path / "a"):
        raise OSError(errno.EMFILE, "Too many open files")


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(KeyError), writing(tmp_path):
        raise KeyError("x")


def test_folders_can_be_synced(tmp_path):
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")


def test_file_is_synced_before_its_name_appears_and_the_name_afterwards(tmp_path, steps):
    write_whole(tmp_path / "a.json", "{}")
    assert steps == ["sync .a.json.tmp", "rename .a.json.tmp a.json", f"sync {tmp_path.name}"]
    assert (tmp_path / "a.json").read_text() == "{}"


def test_folder_is_synced_with_its_files_before_its_name_appears(tmp_path, steps):
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "file").write_bytes(b"1")
    move_synced(tmp_path / "new", tmp_path / "old")
    assert set(steps[:3]) == {"sync file", "sync inner", "sync new"}
    assert steps[3:] == ["rename new old", f"sync {tmp_path.name}"]


def test_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(TypeError), whole_file(tmp_path / "a") as aside, aside.open("wb") as file:
        file.writelines([b"half", "no bytes"])
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left on device"):
        write_whole(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"


def test_file_is_readable_by_others_as_the_umask_says(tmp_path):
    umask = os.umask(0o022)
    try:
        write_whole(tmp_path / "a", "x")
    finally:
        os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_hash_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_place_that_cannot_be_written_is_refused_before_anything_is(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    require_writable(tmp_path / "file")
    require_writable(tmp_path / "new" / "deep")
    with pytest.raises(ResourceError, match=rf"where: {tmp_path}/file"):
        require_writable(tmp_path / "file" / "new")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ResourceError, match=rf"Permission denied(.|\n)*where: {tmp_path}\n    fix: permit"):
        require_writable(tmp_path / "new" / "deep")
    assert sorted(os.listdir(tmp_path)) == ["file"]
