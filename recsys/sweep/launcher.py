"""Where trials run: Hydra launchers that start a process for every run, so that nothing of one is left in another, nor dies with it.

Hydra's own plugins do not: hydra-joblib-launcher runs trial after trial in the same workers and ends when one of them is killed, and
both it and hydra-submitit-launcher wait for a whole batch before the sweep learns how a trial ended.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from recsys.config.overrides import as_override
from recsys.machine import SHARING
from recsys.ranges import Column, Count, Natural

OUTPUT = "output.log"


class ProcessLauncher(Launcher):
    """Runs `n_jobs` processes at a time on this machine; a sweep of Optuna uses the `executor`, Hydra's basic sweeper `launch`."""

    def __init__(self, n_jobs: Count):
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config

    @property
    def processes(self) -> int:
        """Runs that share a machine."""
        return self.n_jobs

    def executor(self, folder: Path) -> Executor:
        """Runs at most `n_jobs` functions at a time, each in a thread that waits for a process; `folder` is the sweep's."""
        return ThreadPoolExecutor(self.n_jobs)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Start each list of overrides as a run; what it prints is kept in its directory."""
        folder = Path(self.config.hydra.sweep.dir).absolute()
        with self.executor(folder) as executor:
            runs = []
            for number, overrides in enumerate(job_overrides, initial_job_idx):
                config = self.loader.load_sweep_config(self.config, list(overrides))
                with open_dict(config):
                    config.hydra.job.num = number
                run = folder / config.hydra.sweep.subdir
                print(f"#{number}: {' '.join(overrides)}   {run}")
                place = run, self.config.hydra.runtime.cwd, self.processes
                runs.append((run, overrides, executor.submit(run_program, program(), list(overrides), *place)))
            return [_job_return(*each) for each in runs]


class SubmititLauncher(ProcessLauncher):
    """Runs as jobs of a Slurm cluster, or as processes that submitit starts here; conf/hydra/launcher/submitit.yaml explains each key."""

    def __init__(
        self,
        n_jobs: Count,
        cluster: Literal["auto", "slurm", "local"],
        timeout_min: Count,
        cpus_per_task: Count | None = None,
        gpus_per_node: Natural | None = None,
        mem_gb: Count | None = None,
        slurm_partition: Column | None = None,
    ):
        super().__init__(n_jobs)
        self.cluster = cluster
        parameters: dict[str, Any] = {"timeout_min": timeout_min, "cpus_per_task": cpus_per_task, "gpus_per_node": gpus_per_node}
        parameters |= {"mem_gb": mem_gb, "slurm_partition": slurm_partition}
        self.parameters = {name: value for name, value in parameters.items() if value is not None}

    @property
    def processes(self) -> int:
        """Runs that share a machine; Slurm gives each its own cores."""
        import submitit

        return self.n_jobs if (submitit.AutoExecutor.which() if self.cluster == "auto" else self.cluster) == "local" else 1

    def executor(self, folder: Path) -> Executor:
        import submitit

        jobs = submitit.AutoExecutor(folder / "submitit", cluster=None if self.cluster == "auto" else self.cluster)
        jobs.update_parameters(name="trial", **self.parameters)
        return _Jobs(jobs, self.n_jobs)


class _Jobs(ThreadPoolExecutor):
    def __init__(self, jobs: Any, n_jobs: int):
        super().__init__(n_jobs)
        self.jobs = jobs
        self.submitted: list[Any] = []

    def submit(self, function: Callable, /, *arguments: Any) -> Future:  # type: ignore[override]  # functions take no keywords here
        return super().submit(self._result, function, *arguments)

    def _result(self, function: Callable, *arguments: Any) -> Any:
        job = self.jobs.submit(function, *arguments)
        self.submitted.append(job)
        return job.result()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if cancel_futures:
            for job in self.submitted:
                job.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)


def program() -> list[str]:
    """The command of this program, without its arguments."""
    return [sys.executable, str(Path(sys.argv[0]).absolute())]


def run_program(command: list[str], overrides: list[str], run: Path, cwd: str, processes: int) -> int:
    """Run a program in a directory, as one of several that share this machine's cores; its exit code."""
    run.mkdir(parents=True, exist_ok=True)
    place = as_override("hydra.run.dir", str(run))
    with (run / OUTPUT).open("ab") as output:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        return subprocess.call([*command, *overrides, place], cwd=cwd, env=environment(processes), **streams)


def environment(processes: int) -> dict[str, str]:
    """Environment of one of several programs that share this machine's cores."""
    return {**os.environ, SHARING: str(processes)}


def _job_return(run: Path, overrides: Sequence[str], future: Future) -> JobReturn:
    code = future.result()
    error = RuntimeError(f"{run} ended with exit code {code}; see {run / OUTPUT}")
    return JobReturn(overrides=overrides, status=JobStatus.FAILED if code else JobStatus.COMPLETED, _return_value=error if code else None)
