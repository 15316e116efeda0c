import multiprocessing
import os
import signal
import time

import pytest

from recsys.data.store.publish import published
from recsys.errors import ResourceError

fork = multiprocessing.get_context("fork")


def build(place, ready=None):
    """Take 0.2 s to write two files; count how often that happened."""
    with published(place) as folder:
        if folder is not None:
            (folder / "one").write_text("1")
            if ready is not None:
                ready.set()
            time.sleep(0.2)
            (folder / "two").write_text("2")
            with (place.parent / "count").open("a") as file:
                file.write("x")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folder_appears_with_its_last_file_only(tmp_path):
    with published(tmp_path / "deep" / "place") as folder:
        (folder / "file").write_text("x")
        assert names(tmp_path / "deep") == ["place.building", "place.lock"]
    assert names(tmp_path / "deep") == ["place", "place.lock"]
    assert names(tmp_path / "deep" / "place") == ["file"]


def test_an_existing_folder_is_not_built_again(tmp_path):
    build(tmp_path / "place")
    with published(tmp_path / "place") as folder:
        assert folder is None


def test_an_error_leaves_nothing_behind(tmp_path):
    with pytest.raises(TypeError), published(tmp_path / "place") as folder:
        (folder / "file").write_text(None)
    assert names(tmp_path) == ["place.lock"]


def test_a_full_disk_is_a_resource_error_that_names_the_file(tmp_path):
    with (
        pytest.raises(ResourceError, match=r"No space left on device, with [\d,]+ bytes free\n.*where: big.npy"),
        published(tmp_path / "place"),
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
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, other):
    ready = fork.Event()
    killed = fork.Process(target=build, args=(tmp_path / "place", ready))
    killed.start()
    assert ready.wait(10)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join(10)
    assert names(tmp_path / "place.building") == ["one"]
    build(tmp_path / other)
    assert not (tmp_path / "place.building").exists()
    assert names(tmp_path / other) == ["one", "two"]


def test_what_a_running_process_builds_stays(tmp_path):
    ready = fork.Event()
    running = fork.Process(target=build, args=(tmp_path / "place", ready))
    running.start()
    assert ready.wait(10)
    with published(tmp_path / "another"):
        pass
    running.join(10)
    assert names(tmp_path / "place") == ["one", "two"]
