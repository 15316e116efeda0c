"""Folders appear whole, and a link moves from one version to the next in one step."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from recsys.disk import move_synced
from recsys.disk.folders import build_once, partial_folder, point, publish_version, remove_abandoned, remove_whole, restore_previous
from recsys.disk.locks import lock
from recsys.errors import ResourceError

fork = multiprocessing.get_context("fork")
KILLED = (
    "import os, pathlib, signal, sys\n"
    "from recsys.disk.folders import partial_folder\n"
    "with partial_folder(pathlib.Path(sys.argv[1])) as partial:\n"
    "    (partial / 'file').write_text('half')\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)


def names(folder):
    return sorted(os.listdir(folder))


def build(place, ready=None):
    """Take 0.2 s to write two files; count how often that happened."""
    with build_once(place) as folder:
        if folder is not None:
            (folder / "one").write_text("1")
            if ready is not None:
                ready.set()
            time.sleep(0.2)
            (folder / "two").write_text("2")
            with (place.parent / "count").open("a") as file:
                file.write("x")


def publish(link, text):
    with partial_folder(link) as partial:
        (partial / "file").write_text(text)
        publish_version(partial, link)


def test_folder_is_filled_aside_and_appears_by_its_move(tmp_path):
    with partial_folder(tmp_path / "deep" / "place") as partial:
        (partial / "file").write_text("x")
        assert not (tmp_path / "deep" / "place").exists()
        move_synced(partial, tmp_path / "deep" / "place")
    assert (tmp_path / "deep" / "place" / "file").read_text() == "x"
    assert names(tmp_path / "deep") == ["place"]


def test_folder_that_was_not_moved_vanishes(tmp_path):
    with pytest.raises(TypeError), partial_folder(tmp_path / "place") as partial:
        (partial / "file").write_text(None)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_by_the_next_beside_it(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "one")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    with partial_folder(tmp_path / "other"):
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == []


def test_folder_of_a_process_at_work_stays(tmp_path):
    with partial_folder(tmp_path / "one") as first, partial_folder(tmp_path / "one") as second:
        assert first != second
        assert first.is_dir()


def test_link_that_is_not_finished_is_removed_and_other_files_stay(tmp_path):
    (tmp_path / ".last.0123abcd.partial").symlink_to("nowhere")
    (tmp_path / ".notes.partial").write_text("a stranger's")
    (tmp_path / ".table.0123abcd.partial").write_text("a file that another process may be writing")
    remove_abandoned(tmp_path)
    assert names(tmp_path) == [".notes.partial", ".table.0123abcd.partial"]


def test_link_names_the_new_version_and_the_old_one_goes(tmp_path):
    publish(tmp_path / "bundle", "old")
    before = (tmp_path / "bundle").resolve()
    publish(tmp_path / "bundle", "new")
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert names(tmp_path) == ["bundle", (tmp_path / "bundle").readlink().name]
    assert not before.exists()


def test_version_is_on_disk_before_the_link_names_it(tmp_path, steps):
    publish(tmp_path / "bundle", "x")
    version = (tmp_path / "bundle").readlink().name
    named = [step if "partial" not in step else step.split()[0] + " ..." + step.partition("partial")[2] for step in steps]
    assert named == [
        "sync file",
        "sync ...",
        f"rename ... {version}",
        f"sync {tmp_path.name}",
        "rename ... bundle",
        f"sync {tmp_path.name}",
    ]


def test_plain_folder_is_replaced_by_a_link(tmp_path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "file").write_text("old")
    publish(tmp_path / "bundle", "new")
    assert (tmp_path / "bundle").is_symlink()
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert len(names(tmp_path)) == 2


def test_plain_folder_comes_back_after_a_kill_before_the_link(tmp_path, monkeypatch):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "file").write_text("old")

    def killed(link, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys.disk.folders.point", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path / "bundle", "new")
    restore_previous(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "file").read_text() == "old"


def test_previous_folder_never_hides_what_stands_there(tmp_path):
    publish(tmp_path / "bundle", "new")
    (tmp_path / ".bundle.previous").mkdir()
    restore_previous(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "file").read_text() == "new"


def test_version_of_another_link_stays(tmp_path):
    publish(tmp_path / "bundle", "x")
    publish(tmp_path / "other", "y")
    publish(tmp_path / "bundle", "z")
    assert (tmp_path / "other" / "file").read_text() == "y"


def test_link_names_its_target_in_one_step(tmp_path, steps):
    (tmp_path / "one").mkdir()
    point(tmp_path / "best", tmp_path / "one")
    assert (tmp_path / "best").readlink().name == "one"
    assert [step.split()[0] for step in steps] == ["rename", "sync"]


def test_folder_that_is_removed_is_whole_or_gone(tmp_path, monkeypatch):
    (tmp_path / "step-1").mkdir()

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("recsys.disk.folders.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_whole(tmp_path / "step-1")
    monkeypatch.undo()
    assert not (tmp_path / "step-1").exists()
    with lock(tmp_path):
        remove_abandoned(tmp_path)
    assert names(tmp_path) == []


def test_folder_that_is_built_once_appears_with_its_last_file_only(tmp_path):
    with build_once(tmp_path / "deep" / "place") as folder:
        (folder / "file").write_text("x")
        assert folder.name != "place"
        assert len(names(tmp_path / "deep")) == 2
    assert names(tmp_path / "deep") == ["place", "place.lock"]
    assert names(tmp_path / "deep" / "place") == ["file"]


def test_an_existing_folder_is_not_built_again(tmp_path):
    build(tmp_path / "place")
    with build_once(tmp_path / "place") as folder:
        assert folder is None


def test_an_error_while_building_leaves_nothing_behind(tmp_path):
    with pytest.raises(TypeError), build_once(tmp_path / "place") as folder:
        (folder / "file").write_text(None)
    assert names(tmp_path) == ["place.lock"]


def test_a_full_disk_is_a_resource_error_that_names_the_file(tmp_path):
    with (
        pytest.raises(ResourceError, match=r"No space left on device, with [\d,]+ bytes free\n.*where: big.npy"),
        build_once(tmp_path / "place"),
    ):
        raise OSError(28, "No space left on device", "big.npy")


def test_two_processes_build_once(tmp_path):
    processes = [fork.Process(target=build, args=(tmp_path / "place",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(10)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "count").read_text() == "x"
    assert names(tmp_path / "place") == ["one", "two"]


@pytest.mark.parametrize("other", ["place", "another"])
def test_what_a_killed_builder_left_is_removed_by_the_next(tmp_path, other):
    ready = fork.Event()
    killed = fork.Process(target=build, args=(tmp_path / "place", ready))
    killed.start()
    assert ready.wait(10)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join(10)
    (left,) = tmp_path.glob(".place.*.partial")
    assert names(left) == ["one"]
    build(tmp_path / other)
    assert not left.exists()
    assert names(tmp_path / other) == ["one", "two"]


def test_what_a_running_builder_has_made_stays(tmp_path):
    ready = fork.Event()
    running = fork.Process(target=build, args=(tmp_path / "place", ready))
    running.start()
    assert ready.wait(10)
    with build_once(tmp_path / "another"):
        pass
    running.join(10)
    assert names(tmp_path / "place") == ["one", "two"]


def test_a_place_that_may_not_be_written_is_a_lack_of_resources(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("recsys.disk.folders.try_lock", refuse)
    with pytest.raises(ResourceError, match=r"Permission denied(.|\n)*place\.lock(.|\n)*permit"), build_once(tmp_path / "place"):
        raise AssertionError("nothing is built")
