"""Going on with a run: whether there is one, whether it is the same, and that no other process trains in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recsys.config import TrainConfig, flattened, plain, save_config
from recsys.config.compose import AUTO, refuse_links
from recsys.disk import writing
from recsys.disk.locks import Lock, try_lock
from recsys.disk.records import RESTORE
from recsys.disk.scrub import without_secrets
from recsys.errors import ConfigError, Fault, IntegrityError, RecsysError, ResourceError
from recsys.run.checkpoint import checkpoint_facts
from recsys.run.directory import CHECKPOINTS, CONFIG, LINEAGE, RESULT, RunDirectory

LOCK = ".lock"
MISSING = "nothing"


@dataclass(frozen=True)
class Start:
    """The beginning of a run, or of its continuation.

    Attributes:
        lock: held as long as this lives; other processes are refused meanwhile.
        before: what an earlier start left there; None = the run begins now.
        resume_from: the checkpoint that it goes on from; None = the first step.
        finished: nothing is left to do.
        outdated: the result that stands there is of another config.
    """

    run: Path
    lock: Lock | None
    before: RunDirectory | None = None
    resume_from: Path | None = None
    finished: bool = False
    outdated: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the run was begun before."""
        return self.before is not None

    def keep_config(self, config: TrainConfig) -> None:
        """Write config.yaml, without what is of this command alone, and remove a result of another config."""
        if self.outdated:
            (self.run / RESULT).unlink(missing_ok=True)
        save_config(replace(config, resume=None, allow_change=()), self.run / CONFIG)

    def require_same(self, store: Path, others: Mapping[str, str], config: TrainConfig) -> None:
        """Refuse data, or other runs, that are not those the run began with; a ConfigError names both, before and now.

        Args:
            store: folder of the prepared data; its name is a hash of what was prepared, and how.
            others: as from `best_weights`.
        """
        if self.before is None or not (self.run / LINEAGE).exists():
            return
        old_store, old_others = self.before.store_path, self.before.other_runs
        faults = []
        if old_store.name != store.name and not _allowed("data", config.allow_change):
            what = f"the data are not those the run began with: prepared in {old_store} -> {store.resolve()}"
            faults.append(Fault(what, str(self.run), "restore the raw tables, or add allow_change=[data] to go on with others"))
        for key in sorted(others.keys() & old_others.keys()):
            if others[key] != old_others[key] and not _allowed(key, config.allow_change):
                what = f"{key} names a run with other weights than when this one began: {old_others[key][:12]} -> {others[key][:12]}"
                faults.append(Fault(what, str(self.run), f"restore that run, or add allow_change=[{key}] to go on with its new weights"))
        if faults:
            raise ConfigError(*faults)


def require_plain_places(config: TrainConfig, run: Path) -> None:
    """A ConfigError where the run's directory, or that of its store, is named by a password, which every file of the run would repeat."""
    places = {"hydra.run.dir": run, "data.store": config.data.store}
    remedy = "choose a folder whose name holds none"
    named = {key: without_secrets(str(path)) for key, path in places.items() if without_secrets(str(path)) != str(path)}
    if named:
        raise ConfigError(*(Fault("the name of the folder holds a password", f"{key}={name}", remedy) for key, name in named.items()))


def start(config: TrainConfig, run: Path, *, is_first: bool) -> Start:
    """Whether a run begins or goes on; others follow the first process. A ConfigError where it may not go on, or another process trains."""
    lock = _locked(run) if is_first else None
    try:
        return _start(config, run, lock, is_first=is_first)
    except RecsysError:  # whose traceback may live on for long, as in a notebook, and the lock with it
        if lock is not None:
            lock.release()
        raise


def _start(config: TrainConfig, run: Path, lock: Lock | None, *, is_first: bool) -> Start:
    begun = (run / CONFIG).exists()
    if not begun or (config.resume is None and not is_first):
        if is_first and config.resume not in (None, AUTO):
            raise ConfigError(Fault("no run has begun to train there", str(run), "name the directory of a run, or leave resume out"))
        return Start(run, lock)
    if config.resume is None:
        remedy = "choose another (hydra.run.dir=DIR; from Python train(config, run=DIR)), or go on with resume=DIR"
        raise ConfigError(Fault("the directory holds a run already", str(run), remedy))
    before = RunDirectory.open(run)
    changed = _changes(before.config, config)
    faults = [
        Fault(f"{key}: {old} -> {new}", str(run / CONFIG), f"leave {key} as it was, or add allow_change=[{key}]")
        for key, (old, new) in changed.items()
        if not _allowed(key, config.allow_change)
    ]
    if faults:
        raise ConfigError(*faults)
    last = run / CHECKPOINTS / "last"
    if last.is_symlink() and not last.exists():
        raise IntegrityError(Fault(f"it names {last.readlink()}, which is not there", str(last), RESTORE))
    tested = (run / RESULT).exists()
    resume_from = last if last.exists() else None
    return Start(run, lock, before, resume_from, finished=tested and not changed, outdated=tested and bool(changed))


def place_of(config: TrainConfig, run: Path, *, fixed: bool) -> Path:
    """The directory of a config: with resume=auto that of an interrupted run beside `run`, unless `run` is fixed; else `run`."""
    if config.resume != AUTO:
        return run
    before = None if fixed else interrupted(config, run.parent)
    refuse_links(before or run)
    return before or run


def interrupted(config: TrainConfig, runs: Path) -> Path | None:
    """The newest run below a folder that has this config, did not finish, and is not in training; None where there is none."""
    for path in sorted(runs.glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime, reverse=True):
        if (path.parent / RESULT).exists():
            continue
        try:
            _locked(path.parent).release()
            if not _changes(RunDirectory.open(path.parent).config, config):
                return path.parent
        except (ConfigError, ResourceError):  # in training, of an older version of the code, or not to be written by this user
            continue
    return None


def best_weights(runs: Mapping[str, Path]) -> dict[str, str]:
    """{key of a config: sha256 of the best weights of the run that it names}, where there are any."""
    best = {key: run / CHECKPOINTS / "best" for key, run in runs.items()}
    return {key: checkpoint_facts(folder)["sha256"] for key, folder in best.items() if folder.exists()}


def _changes(before: TrainConfig, now: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """{dotted key: value before, value now}, where they differ in more than a password."""
    plains = (plain(replace(config, resume=None, allow_change=())) for config in (before, now))
    old, new = (dict(flattened(without_secrets(each))) for each in plains)  # what is saved of a config has none
    values = {key: (old.get(key, MISSING), new.get(key, MISSING)) for key in sorted(old.keys() | new.keys())}
    return {key: (value, other) for key, (value, other) in values.items() if value != other}


def _allowed(key: str, allowed: tuple[str, ...]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in allowed)


def _locked(run: Path) -> Lock:
    """The run's lock, which dies with its process: no child shares it, though one that made batches may live on for some seconds."""
    with writing(run):
        run.mkdir(parents=True, exist_ok=True)
        own = try_lock(run / LOCK)
    if own is None:
        raise ConfigError(Fault("another process trains there", str(run), "wait for it, or stop it first"))
    return own
