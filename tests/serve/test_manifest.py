"""What a bundle's folder may hold. Flipped bytes and missing files are in tests/export/test_publish.py."""

import hashlib
import json
import os

import pytest

from recsys.export.publish import publishing, write_manifest
from recsys.serve import BundleError
from recsys.serve.manifest import read_bundle, render_manifest


@pytest.fixture
def folder(tmp_path):
    with publishing(tmp_path / "bundle") as partial:
        (partial / "ranker.onnx").write_bytes(b"graph")
        write_manifest(partial, {})
    return tmp_path / "bundle"


def forge(folder, **changes):
    """A manifest that is consistent with itself."""
    document = {**json.loads((folder / "manifest.json").read_bytes()), **changes}
    del document["sha256"]
    document["sha256"] = hashlib.sha256(render_manifest(document)).hexdigest()
    (folder / "manifest.json").write_bytes(render_manifest(document))


@pytest.mark.parametrize("name", ["ranker.onnx", "manifest.json"])
def test_link_is_refused_even_to_the_same_content(folder, name):
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)
    with pytest.raises(BundleError, match=rf"{name} is a link"):
        read_bundle(folder, keep=())


def test_folder_behind_a_link_is_read(folder):
    (folder.parent / "current").symlink_to(folder)
    assert read_bundle(folder.parent / "current", keep=("ranker.onnx",))[1] == {"ranker.onnx": b"graph"}


def test_copied_link_without_its_files_says_how_to_copy(folder, tmp_path):
    (tmp_path / "copied").symlink_to("bundle-0123abcd")  # as `cp -r` and `mv` of a published bundle leave it
    with pytest.raises(BundleError, match=r"link to bundle-0123abcd, .*cp -rL"):
        read_bundle(tmp_path / "copied", keep=())


def test_file_that_the_manifest_does_not_name_is_left_alone(folder):
    (folder / ".DS_Store").write_text("x")
    os.mkfifo(folder / "pipe")  # opening it would wait for ever
    assert read_bundle(folder, keep=("ranker.onnx",))[1] == {"ranker.onnx": b"graph"}


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "a\0b"])
def test_name_that_leaves_the_folder_is_refused(folder, name):
    (folder.parent / "secret").write_bytes(b"secret")
    forge(folder, files={name: {"size": 6, "sha256": hashlib.sha256(b"secret").hexdigest()}})
    with pytest.raises(BundleError, match=r"which is not in the bundle's folder"):
        read_bundle(folder, keep=())


def test_pipe_in_place_of_a_file_is_refused(folder):
    (folder / "ranker.onnx").unlink()
    os.mkfifo(folder / "ranker.onnx")
    with pytest.raises(BundleError, match=r"ranker\.onnx is missing"):
        read_bundle(folder, keep=())


@pytest.mark.parametrize("name", ["ranker.onnx", "manifest.json"])
def test_huge_file_is_refused_unread(folder, name):
    os.truncate(folder / name, 2**40)  # a sparse file: reading it would take minutes and its size in memory
    with pytest.raises(BundleError, match=rf"{name} (is not the exported file: it has {2**40} bytes|is a link, or longer)"):
        read_bundle(folder, keep=("ranker.onnx",))


@pytest.mark.parametrize("files", [None, [], {"ranker.onnx": None}, {"ranker.onnx": {}}, {"ranker.onnx": {"size": "5", "sha256": "x"}}])
def test_manifest_of_another_shape_is_refused(folder, files):
    forge(folder, files=files)
    with pytest.raises(BundleError, match=r"manifest\.json (is damaged|has been changed)"):
        read_bundle(folder, keep=())


def test_nested_manifest_is_refused(folder):
    (folder / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        read_bundle(folder, keep=())


def test_format_of_a_later_version_is_refused(folder):
    forge(folder, format=2)
    with pytest.raises(BundleError, match=r"is of format 2, this version reads 1; install the version that exported it"):
        read_bundle(folder, keep=())
