"""What a run writes of its code, packages and machine."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pytest

from recsys.run.lineage import git, lock, versions, write_lineage


@pytest.fixture
def code(tmp_path):
    """A repository with one commit."""
    folder = tmp_path / "code"
    for name in ("recsys/run/lineage.py", "conf/train.yaml", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("one\n")
    answer(folder, "init", "--quiet")
    answer(folder, "add", ".")
    answer(folder, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "First")
    return folder


def answer(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_git_names_the_commit(code):
    assert git(code) == {"commit": answer(code, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.parametrize(
    ("name", "dirty"), [("conf/train.yaml", True), ("recsys/mine.py", True), ("README.md", False), ("note.txt", False)]
)
def test_git_is_dirty_where_what_decides_a_result_has_changed(code, name, dirty):
    (code / name).write_text("two\n")
    assert git(code)["dirty"] is dirty


def test_git_is_none_in_a_copy_that_another_repository_surrounds(code):
    installed = code / ".venv" / "recsys"
    installed.mkdir(parents=True)
    (installed / "lineage.py").write_text("one\n")
    assert git(code / ".venv") is None


def test_git_is_none_without_a_repository(tmp_path):
    assert git(tmp_path) is None


def test_git_ignores_the_repository_of_the_caller(code, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    answer(other, "init", "--quiet")
    monkeypatch.chdir(other)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert git(code)["dirty"] is False


def test_git_is_none_where_git_is_not_installed(code, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git(code) is None


def test_lock_has_the_hash_of_the_file(tmp_path):
    assert lock(tmp_path) is None
    (tmp_path / "constraints.txt").write_bytes(b"numpy==2.4.6\n")
    assert lock(tmp_path) == {"file": "constraints.txt", "sha256": hashlib.sha256(b"numpy==2.4.6\n").hexdigest()}


def test_versions_are_those_installed():
    assert versions(["numpy", "no-such-package"]) == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": version("numpy"),
        "no-such-package": None,
    }


def test_lineage_names_store_moment_and_command(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "/some/where/train.py", "loss=bpr", "data.name=two words"])
    before = datetime.now(UTC).replace(microsecond=0)
    write_lineage(tmp_path / "lineage.json", store=tmp_path / "store")
    found = json.loads((tmp_path / "lineage.json").read_text())
    assert found["store"] == str((tmp_path / "store").resolve())
    assert before <= datetime.fromisoformat(found["started"]) <= datetime.now(UTC)
    assert found["command"] == "python train.py loss=bpr 'data.name=two words'"
    assert {"git", "lock", "versions", "platform"} < found.keys()


def test_lineage_of_an_interactive_python_has_its_command_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3"])
    write_lineage(tmp_path / "lineage.json", store=tmp_path / "store")
    assert json.loads((tmp_path / "lineage.json").read_text())["command"] == "python"
