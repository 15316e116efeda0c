"""An epoch of the default run: quiet, beside busy programs, and under a CPU quota; with threads as chosen, as torch has them, and one."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.base import composed, options, show
from benchmarks.fit import fit
from recsys.machine import CGROUPS, CHOSEN, SHARING, THREADS, WAIT

HOME = Path(__file__).parent.parent
EPOCH = "import sys; from benchmarks.threads import print_epoch; print_epoch(*sys.argv[1:])"
BUSY = "while True: pass"
PERIOD_US = 100_000
SPINS = "GOMP_SPINCOUNT"
"""Rounds that a thread of GNU's OpenMP waits actively; it goes before the policy. 300,000 is its own choice where neither is set."""
WAYS = {
    "chosen": {},
    "torch's own": {THREADS: str(os.cpu_count()), SPINS: "300000"},
    "one thread": {THREADS: "1"},
}
"""{column: variables of the process that trains}."""


def main(arguments: list[str]) -> None:
    """Train in a process of its own for each cell; the ways take turns, and the fastest of `--repeats` counts."""
    parser = options("threads", __doc__)
    parser.add_argument("--repeats", type=int, default=3, help="processes per cell (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=3, help="of a process, of which the fastest counts (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="of train.py")
    chosen = parser.parse_args(arguments)
    situations = {"quiet": (0, None), "beside 1 busy": (1, None), "beside 2 busy": (2, None), "quota of 1 core": (0, 1.0)}
    with tempfile.TemporaryDirectory() as scratch:
        places = [f"data.store={scratch}", f"data.source.folder={scratch}/shop", f"trainer.max_epochs={chosen.epochs}"]
        command = [sys.executable, "-c", EPOCH, scratch, *places, *chosen.overrides]
        figures = {name: _seconds(command, busy, quota, chosen.repeats) for name, (busy, quota) in situations.items()}
    quiet = figures["quiet"]
    rows = [(name, *(_cell(spent[way], quiet[way]) for way in WAYS)) for name, spent in figures.items() if spent]
    rows += [(f"{name}: needs a control group that may be written",) for name, spent in figures.items() if not spent]
    notes = (
        "Seconds of the fastest epoch, and times the quiet one of the same column.",
        "Goal: beside one busy process at most 1.7, beside two at most 2.5; quiet within 3 % of torch's own.",
        "Under the quota within 5 % of one thread.",
    )
    show("Threads: an epoch of the default run", ("", *WAYS), rows, notes)


def print_epoch(folder: str, *overrides: str) -> None:
    """Train, and print the seconds of the fastest epoch."""
    print(min(sum(epoch.values()) for epoch in fit(composed(*overrides), Path(folder)).epochs))


@contextmanager
def busy_process() -> Iterator[None]:
    """Another program that takes a core while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def quota_group(cores: float) -> Iterator[Path]:
    """A control group with a CPU quota; a process joins it by its number in the file that is yielded.

    Raises:
        OSError: this user may make none.
    """
    v1 = CGROUPS / "cpu"
    group = (v1 if v1.is_dir() else CGROUPS) / f"benchmark-{os.getpid()}"
    group.mkdir()
    try:
        quota = round(cores * PERIOD_US)
        if v1.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def _seconds(command: Sequence[str], busy: int, quota: float | None, repeats: int) -> dict[str, float]:
    """{way: seconds of its fastest epoch}; empty where no quota can be set."""
    clean = {name: value for name, value in os.environ.items() if name not in (THREADS, WAIT, SPINS, CHOSEN, SHARING)}
    found: dict[str, float] = dict.fromkeys(WAYS, float("inf"))
    with ExitStack() as stack:
        for _ in range(busy):
            stack.enter_context(busy_process())
        if quota is not None:
            try:
                joined = stack.enter_context(quota_group(quota))
            except OSError:
                return {}
            command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(joined), *command]
        for _ in range(repeats):
            for way, own in WAYS.items():
                done = subprocess.run(command, cwd=HOME, env={**clean, **own}, stdout=subprocess.PIPE, text=True, check=True)
                found[way] = min(found[way], float(done.stdout.split()[-1]))
    return found


def _cell(seconds: float, quiet: float) -> str:
    return f"{seconds:.2f} s, {seconds / quiet:.2f}"
