"""A folder that appears whole or not at all, built once however many processes ask for it."""

import fcntl
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.disk import sync, writing

BUILDING = ".building"
LOCK = ".lock"
log = logging.getLogger(__name__)


@contextmanager
def published(place: Path) -> Iterator[Path | None]:
    """An empty folder to fill, which becomes `place` by one rename when the block ends; None when `place` exists already.

    It is `<place>.building` meanwhile, under a lock on `<place>.lock` that dies with its process: a second process waits, then finds
    the folder. What a killed one left behind is removed by the next that builds anything in the same parent; what an error left, at once.

    Raises:
        ResourceError: the disk is full, or may not be written.
    """
    if place.exists():
        yield None
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    building = place.with_name(place.name + BUILDING)
    with _locked(place):
        if place.exists():
            yield None
            return
        _remove_leftovers(building)
        try:
            with writing(place):
                building.mkdir()
                yield building
                _rename(building, place)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _rename(building: Path, place: Path) -> None:
    """Everything is on disk before the name appears, and the name before this returns."""
    for path in (*building.rglob("*"), building):
        sync(path)
    building.rename(place)
    sync(place.parent)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    with place.with_name(place.name + LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that builds %s", place)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_leftovers(mine: Path) -> None:
    """Delete folders of dead processes; one that still builds holds its lock.

    Args:
        mine: this process's own, whose lock is held.
    """
    for building in mine.parent.glob(f"*{BUILDING}"):
        with building.with_name(building.name.removesuffix(BUILDING) + LOCK).open("w") as file:
            try:
                if building != mine:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(building)
