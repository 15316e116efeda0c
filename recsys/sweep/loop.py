"""The trials of one sweep: their values, their runs, their results, and the lines on the terminal meanwhile."""

import signal
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from shlex import quote
from typing import Any

import optuna
from rich.console import Console
from rich.text import Text

from recsys.config.overrides import as_override
from recsys.errors import ConfigError, Fault, RecsysError, SweepError
from recsys.sweep.launcher import ProcessLauncher, program
from recsys.sweep.plan import CONF, Plan
from recsys.sweep.results import BEST, PAGE, draw_page, write_results
from recsys.sweep.study import STATES, ask, ended_trials, open_study, suggested_overrides, tell, unfinished_trials
from recsys.sweep.sweep_config import MEASURES, dimensions, grid_size
from recsys.sweep.terminal import progress_line, trial_table
from recsys.sweep.trial import Commands, Outcome, outcome, run_trial, stop, trial_folder

MOST_BROKEN = 2
"""Times that an interrupted trial goes on."""
ASKED_TO_STOP = (143, 130, -signal.SIGTERM, -signal.SIGINT)
"""Exit codes of a trial that somebody else stopped, such as a cluster that needs the machine; its state is saved."""
BEFORE_KILL_S, AFTER_KILL_S = 60, 10
"""Seconds that a trial has to end by itself, and to be gone when it is killed."""


class Sweep:
    """The trials of one sweep's directory; relative paths of their config start at `cwd`."""

    def __init__(self, folder: Path, plan: Plan, launcher: ProcessLauncher, *, cwd: str):
        self.folder, self.plan, self.launcher, self.cwd = folder, plan, launcher, cwd
        self.study = open_study(folder, plan.sweep)
        if not self.study.trials and any(folder.glob("trial-*")):  # their results would be taken for those of new trials
            raise ConfigError(Fault("trials of another sweep are here", str(folder), "choose an empty directory with hydra.sweep.dir=DIR"))
        self.wanted = plan.sweep.trials or grid_size(dimensions(plan.sweep.space)) or 0  # one without an end is refused before
        self.seconds: list[float] = []
        self.page_due = time.monotonic()
        self.console = Console()

    def run(self) -> None:
        """Run until every trial has ended; those that had begun go first."""
        waiting = deque(unfinished_trials(self.study, self.plan.sweep))
        pending: dict[Future, tuple[optuna.Trial, float]] = {}
        broken: Counter[int] = Counter()
        ended, begun = self._num_ended(), len(waiting)
        earlier = f", of which {ended} have ended and {begun} had begun" if ended or begun else ""
        self._print(f"sweep: {self.folder}   {self.wanted} trial{'s' * (self.wanted > 1)}{earlier}")
        executor = self.launcher.executor(self.folder)
        try:
            while waiting or pending or self._num_ended() < self.wanted:
                while len(pending) < self.launcher.n_jobs and (waiting or self._num_ended() + len(pending) < self.wanted):
                    trial = waiting.popleft() if waiting else ask(self.study, self.plan.sweep)
                    pending[executor.submit(run_trial, self.folder, trial.number, self._commands(trial))] = trial, time.monotonic()
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    trial, started = pending.pop(future)
                    interrupted = future.exception() is None and future.result()[1] in ASKED_TO_STOP
                    if interrupted and broken[trial.number] < MOST_BROKEN:
                        broken[trial.number] += 1
                        waiting.append(trial)
                    else:
                        self._end(trial, future, time.monotonic() - started)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)  # jobs that still queue do not begin
            self._stop(pending)
            raise
        executor.shutdown()
        self._conclude()

    def _num_ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def _commands(self, trial: optuna.Trial) -> Commands:
        """Commands of a trial, an ordinary run of the frozen config; what its sweep adds changes nothing that it learns."""
        objectives = self.plan.sweep.objectives
        added: dict[str, Any] = {}
        if self.plan.sweep.pruner:
            (monitor,) = objectives
            added = {"+callbacks@callbacks.pruning": "pruning", "callbacks.pruning.monitor": monitor}
            added |= {"callbacks.pruning.sweep": str(self.folder), "callbacks.pruning.trial": trial.number}
        if "wandb" in self.plan.config["logger"]:
            begun = self.study.get_trials(deepcopy=False)[0].datetime_start  # the time of the first trial, which no other sweep has
            group = self.plan.config["logger"]["wandb"]["group"] or f"{self.plan.name}-{begun:%Y%m%d-%H%M%S-%f}"
            added |= {"logger.wandb.group": group, "logger.wandb.name": f"{group}-{trial.number}"}
        python, train = program()
        chosen = [*suggested_overrides(trial, self.plan.sweep), *(as_override(key, value) for key, value in added.items())]
        export = (python, str(Path(train).with_name("export.py"))) if set(objectives) & set(MEASURES) else None
        command = (python, train, f"--config-path={self.folder / CONF}", *self.plan.fixed, *chosen)
        return Commands(command, export, self.cwd, self.launcher.processes)

    def _end(self, trial: optuna.Trial, future: Future, seconds: float) -> None:
        try:
            run, code = future.result()
            trial.set_user_attr("run", run.name)
            ended = outcome(run, code, tuple(self.plan.sweep.objectives))
        except ConfigError:
            raise
        except RecsysError as error:
            ended = Outcome("failed", reason=error.faults[0].what)
        except Exception as error:  # of the launcher, such as a job that its cluster ended
            ended = Outcome("failed", reason=" ".join(f"{type(error).__name__}: {error}".split())[:300])
        self.seconds.append(seconds)
        trial.set_user_attr("seconds", round(seconds, 1))
        if ended.reason:
            trial.set_user_attr("reason", ended.reason)
        tell(self.study, trial, ended.values, STATES[ended.state])
        trials = ended_trials(self.study, self.plan.sweep)
        write_results(self.folder, trials, self.plan)
        if time.monotonic() >= self.page_due:
            self.page_due = draw_page(self.folder, trials, self.study, self.plan)
        left = max(0, self.wanted - self._num_ended())  # fewer may be wanted than were begun
        left_s = left * sum(self.seconds) / len(self.seconds) / self.launcher.n_jobs
        self._print(progress_line(trial.number, trials, self.plan.sweep, left=left, left_s=left_s))

    def _stop(self, pending: dict[Future, tuple[optuna.Trial, float]]) -> None:
        """End trials that run here, also those that are just beginning; the sweep goes on with them when it is started again."""
        signalled: set[tuple[Path, signal.Signals]] = set()
        given_up = time.monotonic() + BEFORE_KILL_S
        while not all(future.done() for future in pending) and time.monotonic() < given_up + AFTER_KILL_S:
            how = signal.SIGTERM if time.monotonic() < given_up else signal.SIGKILL
            for run in [trial_folder(self.folder, trial.number) for trial, _ in pending.values()]:
                if (run, how) not in signalled and stop(run, how):
                    signalled.add((run, how))  # a second signal would end it before its state is saved
            wait(pending, timeout=0.2)

    def _conclude(self) -> None:
        trials = ended_trials(self.study, self.plan.sweep)
        write_results(self.folder, trials, self.plan)
        draw_page(self.folder, trials, self.study, self.plan)
        self.console.print(trial_table(trials, self.plan.sweep))
        if all(row.state == "failed" for row in trials):
            what = f"all {len(trials)} trials failed; the last: {trials[-1].reason}"
            raise SweepError(Fault(what, str(self.folder), "start one of them alone, see output.log in its directory"))
        if any(row.best for row in trials):
            self._print(f"try the best:  cp {quote(str(self.folder / BEST))} conf/experiment/best.yaml && python train.py experiment=best")
        else:
            pruned = sum(row.state == "pruned" for row in trials)
            remedy = "in a new directory, hydra.sweeper.pruner=null lets all go to their end"
            self._print(f"no trial finished, so none is the best: {pruned} pruned, {len(trials) - pruned} failed; {remedy}")
        self._print(f"sweep: {self.folder / PAGE}")

    def _print(self, text: str) -> None:
        """Print a line as it is: a path or a reason in brackets is no markup."""
        self.console.print(Text(text), soft_wrap=True)
