"""Going on with a run: whether there is one, whether it is the same, and that no other process is at it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recsys.config import TrainConfig, flattened, plain, save_config
from recsys.config.check import load_config
from recsys.config.earlier_run import AUTO, refuse_links
from recsys.disk import writing
from recsys.disk.locks import Lock, try_lock
from recsys.disk.records import RESTORE, read_record, require_type
from recsys.errors import ConfigError, Fault, IntegrityError, RecsysError, ResourceError
from recsys.run.checkpoint import checkpoint_facts
from recsys.run.directory import CHECKPOINTS, CONFIG, LINEAGE, RESULT

LOCK = ".lock"
MISSING = "nothing"


@dataclass(frozen=True)
class Start:
    """How a run begins.

    Attributes:
        run: its directory.
        goes_on: whether it was begun before.
        resume_from: the checkpoint that it goes on from; None = the first step.
        finished: nothing is left to do.
        outdated: the result that stands there is of another config.
        lock: held as long as this lives; other processes are refused meanwhile.
    """

    run: Path
    goes_on: bool
    resume_from: Path | None
    finished: bool
    lock: Lock | None
    outdated: bool = False

    def keep_config(self, config: TrainConfig) -> None:
        """Write config.yaml, without what this command alone is about; a result of another config goes."""
        if self.outdated:
            (self.run / RESULT).unlink(missing_ok=True)
        save_config(replace(config, resume=None, allow_change=()), self.run / CONFIG)

    def require_same(self, store: Path, others: Mapping[str, str], config: TrainConfig) -> None:
        """Refuse data, or other runs, that are not those the run began with.

        Args:
            store: folder of the prepared data; its name is a hash of what was prepared, and how.
            others: as from `best_weights`.
        Raises:
            ConfigError: with what was, and what is.
        """
        if not self.goes_on or not (self.run / LINEAGE).exists():
            return
        begun_with, had = read_record(self.run / LINEAGE, _begun_with)
        faults = []
        if begun_with.name != store.name and not _allowed("data", config.allow_change):
            what = f"the data are not those the run began with: prepared in {begun_with} -> {store.resolve()}"
            faults.append(Fault(what, str(self.run), "restore the raw tables, or add allow_change=[data] to go on with others"))
        for key in sorted(others.keys() & had.keys()):
            if others[key] != had[key] and not _allowed(key, config.allow_change):
                what = f"{key} names a run with other weights than when this one began: {had[key][:12]} -> {others[key][:12]}"
                faults.append(Fault(what, str(self.run), f"restore that run, or add allow_change=[{key}] to go on with its new weights"))
        if faults:
            raise ConfigError(*faults)


def start(config: TrainConfig, run: Path, *, is_first: bool) -> Start:
    """Whether a run begins or goes on.

    Args:
        run: directory of this run.
        is_first: whether this is the process that writes; the others follow it.
    Raises:
        ConfigError: a run stands there and is not to be gone on with, is another one, or is at work.
    """
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
        return Start(run, False, None, finished=False, lock=lock)
    if config.resume is None:
        raise ConfigError(
            Fault("the directory holds a run already", str(run), "choose another with hydra.run.dir=DIR, or go on with resume=DIR")
        )
    changed = _changes(load_config(run / CONFIG, TrainConfig), config)
    _refuse(changed, config.allow_change, run)
    last = run / CHECKPOINTS / "last"
    if last.is_symlink() and not last.exists():
        raise IntegrityError(Fault(f"it names {last.readlink()}, which is not there", str(last), RESTORE))
    tested = (run / RESULT).exists()
    resume_from = last if last.exists() else None
    return Start(run, True, resume_from, finished=tested and not changed, lock=lock, outdated=tested and bool(changed))


def place_of(config: TrainConfig, run: Path, *, fixed: bool) -> Path:
    """The directory in which a config runs: with resume=auto an interrupted run of the same config, if there is one; else `run`.

    Args:
        fixed: `run` was named by who started it, so none beside it is looked for.
    """
    if config.resume != AUTO:
        return run
    before = None if fixed else interrupted(config, run.parent)
    refuse_links(before or run)
    return before or run


def interrupted(config: TrainConfig, runs: Path) -> Path | None:
    """The newest run below a folder that has this config, did not finish, and is not at work; None where there is none."""
    begun = sorted(runs.glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in begun:
        if (path.parent / RESULT).exists() or not _free(path.parent):
            continue
        try:
            if not _changes(load_config(path, TrainConfig), config):
                return path.parent
        except ConfigError:  # of an older version of the code
            continue
    return None


def best_weights(runs: Mapping[str, Path]) -> dict[str, str]:
    """{key of a config: sha256 of the best weights of the run that it names}, where there are any."""
    best = {key: run / CHECKPOINTS / "best" for key, run in runs.items()}
    return {key: checkpoint_facts(folder)["sha256"] for key, folder in best.items() if folder.exists()}


def _begun_with(document: Any) -> tuple[Path, dict[str, str]]:
    """Store and other runs of a lineage.json."""
    others = require_type(document.get("runs", {}), dict, "'runs'")
    store = Path(require_type(document["store"], str, "'store'"))
    return store, {key: require_type(value, str, f"'{key}'") for key, value in others.items()}


def _changes(before: TrainConfig, now: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """{dotted key: value before, value now}, where they differ."""
    old, new = (dict(flattened(plain(replace(config, resume=None, allow_change=())))) for config in (before, now))
    return {
        key: (old.get(key, MISSING), new.get(key, MISSING))
        for key in sorted(old.keys() | new.keys())
        if old.get(key, MISSING) != new.get(key, MISSING)
    }


def _refuse(changed: Mapping[str, tuple[Any, Any]], allowed: tuple[str, ...], run: Path) -> None:
    faults = [
        Fault(f"{key}: {before} -> {now}", str(run / CONFIG), f"leave {key} as it was, or add allow_change=[{key}]")
        for key, (before, now) in changed.items()
        if not _allowed(key, allowed)
    ]
    if faults:
        raise ConfigError(*faults)


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


def _free(run: Path) -> bool:
    try:
        _locked(run).release()
    except (ConfigError, ResourceError):  # at work, or not to be written by whom this is
        return False
    return True
