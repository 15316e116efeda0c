import signal
import subprocess
import sys
import threading
import time

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from recsys.sweep.launcher import OUTPUT, SubmititLauncher, run_program
from recsys.sweep.trial import ALIVE, Commands, is_alive, run_trial, stop, trial_folder

TRAIN = """
import sys, time
from pathlib import Path
run = Path(sys.argv[-1].partition("=")[2].strip("'"))
print("trains")
time.sleep(float(sys.argv[1]))
if sys.argv[2] == "bad":
    sys.exit(5)
(run / "metrics.json").write_text("{}")
"""
EXPORT = """
import sys
from pathlib import Path
bundle = Path(sys.argv[-1].partition("=")[2].strip("'")) / "bundle"
bundle.mkdir()
(bundle / "manifest.json").write_text("{}")
"""


def commands(tmp_path, seconds=0.0, end="well", export=False):
    train = (sys.executable, "-c", TRAIN, str(seconds), end)
    return Commands(train, (sys.executable, "-c", EXPORT) if export else None, str(tmp_path), 1)


def test_trial_runs_in_its_directory_and_keeps_what_it_prints(tmp_path):
    assert run_trial(tmp_path, 3, commands(tmp_path)) == (tmp_path / "trial-3", 0)
    assert (tmp_path / "trial-3" / "output.log").read_text() == "trains\n"


def test_trial_that_fails_gives_its_exit_code_and_is_not_exported(tmp_path):
    assert run_trial(tmp_path, 0, commands(tmp_path, end="bad", export=True)) == (tmp_path / "trial-0", 5)
    assert not (tmp_path / "trial-0" / "bundle").exists()


def test_finished_trial_is_only_exported(tmp_path):
    run_trial(tmp_path, 0, commands(tmp_path))
    assert run_trial(tmp_path, 0, commands(tmp_path, end="bad", export=True)) == (tmp_path / "trial-0", 0)
    assert (tmp_path / "trial-0" / "bundle" / "manifest.json").exists()
    assert (tmp_path / "trial-0" / "output.log").read_text() == "trains\n"


def test_trial_that_ended_early_goes_on_in_its_directory(tmp_path):
    run_trial(tmp_path, 0, commands(tmp_path, end="bad"))
    assert run_trial(tmp_path, 0, commands(tmp_path)) == (trial_folder(tmp_path, 0), 0)
    assert (tmp_path / "trial-0" / "output.log").read_text() == "trains\ntrains\n"
    (going_on,) = list(commands(tmp_path).pending(tmp_path / "trial-1"))
    assert "resume=auto" in going_on


def read(override):
    """Key and value, as Hydra reads them."""
    (parsed,) = OverridesParser.create().parse_overrides([override])
    return parsed.key_or_group, parsed.value()


@pytest.mark.parametrize("name", ["o'neil", "a b", "a,b=[c]"])
def test_directory_may_have_signs_that_mean_something_to_hydra(tmp_path, name):
    run = tmp_path / name / "trial-0"
    train, export = Commands(("train.py",), ("export.py",), "/", 1).pending(run)
    assert read(train[-1]) == ("hydra.run.dir", str(run))
    assert read(export[-1]) == ("run", str(run))
    run_program([sys.executable, "-c", "import sys; print(sys.argv[-1], end='')"], [], run, str(tmp_path), 1)
    assert read((run / OUTPUT).read_text()) == ("hydra.run.dir", str(run))


@pytest.fixture
def orphan(tmp_path):
    """A trial whose sweep does not wait for it."""
    started = []

    def orphan(**how):
        thread = threading.Thread(target=run_trial, args=(tmp_path, 0, commands(tmp_path, **how)))
        thread.start()
        started.append(thread)
        while not (tmp_path / "trial-0" / ALIVE).exists() or not (tmp_path / "trial-0" / ALIVE).read_text():
            time.sleep(0.01)

    yield orphan
    for thread in started:
        thread.join()


def test_trial_that_still_trains_is_waited_for(tmp_path, orphan):
    orphan(seconds=1)
    assert is_alive(tmp_path / "trial-0")
    assert run_trial(tmp_path, 0, commands(tmp_path)) == (tmp_path / "trial-0", 0)
    assert (tmp_path / "trial-0" / "output.log").read_text() == "trains\n"


def test_trial_that_fails_while_it_is_waited_for_goes_on(tmp_path, orphan):
    orphan(seconds=1, end="bad")
    assert run_trial(tmp_path, 0, commands(tmp_path)) == (tmp_path / "trial-0", 0)
    assert (tmp_path / "trial-0" / "output.log").read_text() == "trains\ntrains\n"


def test_trial_outlives_the_process_that_started_it(tmp_path):
    """The lock is the trial's own, so a sweep that is killed does not open its directory to another."""
    code = f"from pathlib import Path; from recsys.sweep.trial import Commands, run_trial; run_trial(Path({str(tmp_path)!r}), 0, {{}})"
    starter = subprocess.Popen([sys.executable, "-c", code.format(repr(commands(tmp_path, seconds=2)))])
    while not is_alive(tmp_path / "trial-0") or not (tmp_path / "trial-0" / ALIVE).read_text():
        time.sleep(0.01)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    assert is_alive(tmp_path / "trial-0")
    assert run_trial(tmp_path, 0, commands(tmp_path)) == (tmp_path / "trial-0", 0)


def test_stopped_trial_ends(tmp_path, orphan):
    orphan(seconds=60)
    stop(tmp_path / "trial-0", signal.SIGTERM)
    while is_alive(tmp_path / "trial-0"):
        time.sleep(0.01)
    stop(tmp_path / "trial-0", signal.SIGTERM)  # nothing is there to be stopped, and another process may have its number


def test_trials_of_one_machine_are_told_how_many_share_it(tmp_path):
    code = "import os; print(os.environ['RECSYS_PROCESSES'], end='')"
    both = Commands((sys.executable, "-c", code), None, str(tmp_path), 3)
    run, exit_code = run_trial(tmp_path, 0, both)
    assert (exit_code, (run / OUTPUT).read_text()) == (0, "3")
    run_program([sys.executable, "-c", code], [], tmp_path / "other", str(tmp_path), 4)
    assert (tmp_path / "other" / OUTPUT).read_text() == "4"


def test_jobs_of_a_cluster_have_cores_of_their_own():
    pytest.importorskip("submitit")
    assert SubmititLauncher(16, "slurm", 10).processes == 1
    assert SubmititLauncher(3, "local", 10).processes == 3
