"""A bundle is replaced whole or not at all."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from recsys.disk import folders, locks
from recsys.errors import ConfigError
from recsys.export.publish import publishing, write_manifest
from recsys.serve import BundleError
from recsys.serve.manifest import read_bundle


def publish_one(folder, content: str) -> None:
    with publishing(folder) as partial:
        (partial / "retriever.onnx").write_text(content)
        write_manifest(partial, {"format": 1})


def names(folder):
    """What is in a folder, each random part as a star."""
    return sorted(re.sub(r"(?<=[-.])[0-9a-f]{8}(\.partial)?$", "*", path.name) for path in folder.iterdir())


def test_bundle_appears_only_when_the_block_ends(tmp_path):
    with publishing(tmp_path / "run" / "bundle") as partial:
        (partial / "retriever.onnx").write_text("new")
        assert not (tmp_path / "run" / "bundle").exists()
        assert partial.parent == tmp_path / "run"
    assert names(tmp_path / "run") == ["bundle", "bundle-*"]
    assert (tmp_path / "run" / "bundle" / "retriever.onnx").read_text() == "new"


def test_new_bundle_replaces_the_old_one_without_mixing(tmp_path):
    publish_one(tmp_path / "bundle", "old")
    (tmp_path / "bundle" / "left over").write_text("")
    publish_one(tmp_path / "bundle", "new")
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == ["manifest.json", "retriever.onnx"]
    assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "new"
    assert names(tmp_path) == ["bundle", "bundle-*"]


def test_new_bundle_replaces_one_that_is_a_plain_directory(tmp_path):
    publish_one(tmp_path / "made", "old")
    shutil.copytree(tmp_path / "made", tmp_path / "old" / "bundle")
    publish_one(tmp_path / "old" / "bundle", "new")
    assert (tmp_path / "old" / "bundle" / "retriever.onnx").read_text() == "new"
    assert names(tmp_path / "old") == ["bundle", "bundle-*"]


def test_old_bundle_comes_back_after_a_kill_between_two_renames(tmp_path):
    publish_one(tmp_path / "bundle", "old")
    (tmp_path / "bundle").resolve().rename(tmp_path / ".bundle.previous")
    (tmp_path / "bundle").unlink()
    with pytest.raises(RuntimeError), publishing(tmp_path / "bundle"):
        raise RuntimeError
    assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "old"


def test_failed_block_leaves_the_old_bundle_and_nothing_else(tmp_path):
    publish_one(tmp_path / "bundle", "old")
    with pytest.raises(FileNotFoundError), publishing(tmp_path / "bundle") as partial:
        (partial / "retriever.onnx").write_bytes((partial / "no such file").read_bytes())
    assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "old"
    assert names(tmp_path) == ["bundle", "bundle-*"]


def test_killed_export_leaves_the_old_bundle_and_the_next_one_cleans_up(tmp_path):
    publish_one(tmp_path / "bundle", "old")
    code = (
        "import os, pathlib, signal\n"
        "from recsys.export.publish import publishing\n"
        f"with publishing(pathlib.Path({str(tmp_path / 'bundle')!r})) as partial:\n"
        "    (partial / 'retriever.onnx').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "old"
    assert names(tmp_path) == [".bundle.*", "bundle", "bundle-*"]
    publish_one(tmp_path / "bundle", "new")
    assert names(tmp_path) == ["bundle", "bundle-*"]


def test_export_at_work_is_not_cleaned_up_by_another(tmp_path):
    with publishing(tmp_path / "bundle") as partial:
        publish_one(tmp_path / "bundle", "other")
        assert partial.exists()
        write_manifest(partial, {})
    assert not (tmp_path / "bundle" / "retriever.onnx").exists()


def test_export_that_has_just_begun_is_not_cleaned_up_by_another(tmp_path, monkeypatch):
    lock, others = locks.fcntl.flock, []

    def slow(descriptor, how):
        if not others and list(tmp_path.glob(".bundle.*.partial")):  # made, and about to be locked
            others.append(threading.Thread(target=publish_one, args=(tmp_path / "bundle", "other")))
            others[0].start()
            others[0].join(timeout=0.5)
        lock(descriptor, how)

    monkeypatch.setattr(locks.fcntl, "flock", slow)
    with publishing(tmp_path / "bundle") as partial:
        others[0].join()
        assert partial.exists()
        assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "other"
        write_manifest(partial, {})


def test_leftover_that_another_export_has_just_removed_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.Path, "glob", lambda folder, pattern: [folder / ".bundle.gone.partial"])
    publish_one(tmp_path / "bundle", "new")
    assert (tmp_path / "bundle" / "retriever.onnx").read_text() == "new"


def test_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"it has no manifest\.json"), publishing(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_bundle_is_readable_by_others_as_the_umask_says(tmp_path):
    umask = os.umask(0o022)
    try:
        publish_one(tmp_path / "bundle", "new")
    finally:
        os.umask(umask)
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["retriever.onnx", "manifest.json"])
def test_any_flipped_byte_is_refused_with_the_file_named(tmp_path, name):
    publish_one(tmp_path / "bundle", "graph")
    whole = (tmp_path / "bundle" / name).read_bytes()
    for position in range(0, len(whole), 5):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        (tmp_path / "bundle" / name).write_bytes(flipped)
        with pytest.raises(BundleError, match=name):
            read_bundle(tmp_path / "bundle", keep=("retriever.onnx",))


def test_manifest_of_another_spelling_is_refused(tmp_path):
    publish_one(tmp_path / "bundle", "graph")
    with (tmp_path / "bundle" / "manifest.json").open("a") as file:
        file.write("\n")
    with pytest.raises(BundleError, match=r"manifest\.json has been changed"):
        read_bundle(tmp_path / "bundle", keep=())


def test_missing_file_is_refused_with_its_name(tmp_path):
    publish_one(tmp_path / "bundle", "graph")
    (tmp_path / "bundle" / "retriever.onnx").unlink()
    with pytest.raises(BundleError, match=r"retriever\.onnx is missing"):
        read_bundle(tmp_path / "bundle", keep=())
