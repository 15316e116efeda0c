"""An export that is killed at any moment: where a bundle stood there is that bundle, byte for byte, or a whole new one."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.disk.folders import restore_previous
from recsys.export.publish import publishing, write_manifest
from recsys.serve import Retriever
from recsys.serve.manifest import read_bundle

HOME = Path(__file__).parent.parent.parent
MOMENTS = 50
SMALL = (
    "data.source.num_users=300",
    "data.source.num_items=300",
    "data.source.num_impressions=20000",
    "data.max_unknown_share=0.5",
    "trainer.max_epochs=1",
    "loader.batch_size=256",
    "model.dim=16",
    "model.embedding_dim=16",
)
PRELUDE = """
import os, signal, sys
place = int(os.environ["KILL_AT"])
steps = []

def step(name):
    steps.append(name)
    if len(steps) == place:
        os.kill(os.getpid(), signal.SIGKILL)
    if place == 0:
        os.write(2, f"{name}\\n".encode())

def counted(function, name):
    def wrapped(*arguments, **options):
        what = f"{name} {os.path.basename(arguments[1])}" if name == "replace" else name
        step(f"before {what}")
        result = function(*arguments, **options)
        step(f"after {what}")
        return result
    return wrapped

def heard(event, arguments):
    if event == "open" and ".partial" in str(arguments[0]) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        step("open")
    if event in ("os.remove", "os.rmdir", "os.mkdir"):
        step(event)

from recsys.export import publish
for name in ("fsync", "replace"):
    setattr(os, name, counted(getattr(os, name), name))
sys.addaudithook(heard)
"""
"""Counts the steps of a publication that can be seen from outside, and ends the process at one of them."""
PUBLISH = (
    PRELUDE
    + """
from pathlib import Path
with publish.publishing(Path(sys.argv[1])) as partial:
    for name in ("a.onnx", "b.onnx", "schema.json"):
        (partial / name).write_bytes(sys.argv[2].encode() * 1000)
    publish.write_manifest(partial, {"format": 1})
"""
)


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def publish(folder, text, place):
    environment = {**os.environ, "PYTHONPATH": str(HOME), "KILL_AT": str(place)}
    command = [sys.executable, "-c", PUBLISH, str(folder), text]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def remove_leftovers(folder):
    """Remove what killed exports left beside a bundle."""
    version = (folder / "bundle").resolve()
    for leftover in [*folder.glob(".bundle.*"), *folder.glob("bundle-*")]:
        if leftover.is_symlink():
            leftover.unlink()
        elif leftover != version:
            shutil.rmtree(leftover)


@pytest.mark.slow
def test_kill_at_each_step_of_publishing_leaves_the_old_bundle_or_the_new_one(tmp_path):
    folder = tmp_path / "bundle"
    assert publish(folder, "x", -1).returncode == 0
    (tmp_path / "dry").mkdir()
    assert publish(tmp_path / "dry" / "bundle", "x", -1).returncode == 0
    new = {text: contents(tmp_path / "dry" / "bundle") for text in "x"}
    done = publish(tmp_path / "dry" / "bundle", "y", 0)
    new["y"] = contents(tmp_path / "dry" / "bundle")
    steps = done.stderr.splitlines()
    assert {"open", "before fsync", "before replace bundle", "after replace bundle", "os.remove", "os.rmdir"} <= set(steps)
    switched, standing = [], "x"
    assert len(steps) >= 20
    for place in range(1, len(steps) + 1):
        text = "y" if standing == "x" else "x"
        remove_leftovers(tmp_path)  # removing them would be steps of the next
        assert publish(folder, text, place).returncode == -signal.SIGKILL, steps[place - 1]
        found = contents(folder)
        assert found in (new[standing], new.get(text)), f"{place}: {steps[place - 1]}"
        read_bundle(folder, keep=())
        if found == new[text]:
            switched.append(place)
            standing = text
    assert switched == list(range(steps.index("after replace bundle") + 1, len(steps) + 1))  # one step makes the difference
    assert publish(folder, "x", -1).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"dry", "bundle", folder.readlink().name}  # nothing is left of them all


@pytest.mark.slow
def test_kill_at_each_step_of_replacing_a_plain_directory_leaves_a_bundle_or_the_next_export_brings_it_back(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, text in ((old, "x"), (new, "y")):
        folder.mkdir()
        assert publish(folder / "bundle", text, -1).returncode == 0
    trial, missing, seen = tmp_path / "trial", 0, set()
    for place in range(1, 100):
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(old / "bundle", trial / "bundle")
        done = publish(trial / "bundle", "y", place)
        if not (trial / "bundle").exists():
            missing += 1
            restore_previous(trial / "bundle")
        found = contents(trial / "bundle")
        assert found in (contents(old / "bundle"), contents(new / "bundle")), place
        seen.add(found == contents(new / "bundle"))
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert seen == {False, True}
    assert 0 < missing <= 4  # after the old directory is renamed, and before the link is


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the run `out`, exported once."""
    home = tmp_path_factory.mktemp("home")
    for name, *arguments in (("train.py", *SMALL, "hydra.run.dir=out"), ("export.py", "run=out")):
        done = subprocess.run([sys.executable, str(HOME / name), *arguments], cwd=home, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    return home


@pytest.mark.slow
def test_kill_at_random_moments_of_an_export_leaves_a_whole_bundle(home):
    command, bundle = [sys.executable, str(HOME / "export.py"), "run=out"], home / "out" / "bundle"
    started = time.monotonic()
    subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=600)
    duration = time.monotonic() - started
    generator, standing, outcomes = random.Random(0), contents(bundle), {"old": 0, "new": 0}
    for moment in range(MOMENTS):  # one in each fiftieth of the time, and some beyond it
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(duration * (moment + generator.random()) / MOMENTS)
        process.kill()
        process.wait()
        found = contents(bundle)
        outcomes["old" if found == standing else "new"] += 1
        if found != standing:
            assert Retriever(bundle).recommend([{}], k=1)[0].items  # every sha256 is checked before
            standing = found
    assert outcomes["old"] > MOMENTS // 2
    subprocess.run(command, cwd=home, check=True, capture_output=True, timeout=600)
    assert [path.name for path in (home / "out").iterdir() if "partial" in path.name or "previous" in path.name] == []
    assert len(list((home / "out").glob("bundle-*"))) == 1


AUDIT = """
import os, sys
EVENTS = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")

def hear(event, arguments):
    if event in EVENTS:
        said = " ".join(map(str, arguments[1])) if event == "subprocess.Popen" else repr(arguments)
        os.write(2, f"heard {event}: {said:.200}\\n".encode())

sys.addaudithook(hear)
"""
ASKED = ("git --no-optional-locks ", f"{sys.executable} -m recsys.serve.replay ")
"""Processes that an export starts: what commit it is of, and its own bundle, asked from outside."""


def heard(folder, *command, cwd):
    """What a command unpickles, starts and connects to."""
    (folder / "sitecustomize.py").write_text(AUDIT)  # from the interpreter's first import on
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{HOME}"}
    done = subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("heard ")]


@pytest.mark.slow
def test_export_unpickles_nothing_connects_to_nobody_and_starts_no_stranger(home, tmp_path):
    unpickled = "import fractions, pickle; pickle.loads(pickle.dumps(fractions.Fraction(1, 2)))"
    assert heard(tmp_path, "-c", unpickled, cwd=home)[0].startswith("heard pickle.find_class")
    expected = tuple(f"heard subprocess.Popen: {start}" for start in ASKED)
    found = heard(tmp_path, str(HOME / "export.py"), "run=out", cwd=home)
    assert [line for line in found if not line.startswith(expected)] == []
    assert any(line.startswith(expected[1]) for line in found)


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path):
    folder = tmp_path / "bundle"
    for number in range(3):
        (tmp_path / f".bundle.{number:08x}.partial").mkdir()
        (tmp_path / f".bundle.{number:08x}.partial" / "retriever.onnx").write_bytes(b"half")
    with publishing(folder) as partial:
        (partial / "a").write_bytes(b"whole")
        write_manifest(partial, {"format": 1})
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", folder.readlink().name}
