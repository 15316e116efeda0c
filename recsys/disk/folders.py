"""Folders that appear whole: filled under another name, renamed in one step, or named by a link that is replaced in one step."""

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recsys.disk import move_synced, writing
from recsys.disk.locks import is_locked, lock, try_lock

log = logging.getLogger(__name__)
PARTIAL = ".*.????????.partial"
"""Names of folders and links that are not finished."""


def _partial(path: Path) -> Path:
    """A new name beside `path` that `PARTIAL` matches."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


@contextmanager
def partial_folder(place: Path) -> Iterator[Path]:
    """An empty folder beside `place` for the block to fill and move; what is left of it when the block ends is removed.

    It is locked meanwhile. What a killed process left beside `place` is locked by nobody, and removed first.
    """
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with lock(place.parent):  # a folder that is made and not locked yet looks abandoned
            remove_abandoned(place.parent)
            partial = _partial(place)
            partial.mkdir()
            own = lock(partial)
    with own:
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def build_once(place: Path) -> Iterator[Path | None]:
    """An empty folder for the block to fill, which becomes `place` when the block ends; None where `place` exists already.

    However many processes ask for it, one builds, under the lock of `<place>.lock`; the others wait, then find the folder. A
    ResourceError where the disk is full, or may not be written.
    """
    if place.exists():
        yield None
        return
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.with_name(f"{place.name}.lock")
        own = try_lock(file)
        if own is None:
            log.info("waiting for another process that builds %s", place)
            own = lock(file)
    with own:
        if place.exists():
            yield None
            return
        with writing(place), partial_folder(place) as partial:
            yield partial
            move_synced(partial, place)


def point(link: Path, target: Path) -> None:
    """Let `link` name `target`, a folder beside it, in one step."""
    partial = _partial(link)
    with writing(link):
        partial.symlink_to(target.name, target_is_directory=True)
        move_synced(partial, link)


def publish_version(partial: Path, link: Path) -> None:
    """Publish a folder from `partial_folder` as `<link>-<8 hexadecimal digits>`, let `link` name it, and remove the version before.

    Where `link` is a plain folder, as a copy or an earlier version of this package left it, that is renamed first: for the time of two
    renames nothing stands at `link`, and `restore_previous` brings it back if the process is killed just then.
    """
    with writing(link), lock(link.parent):  # the version that another process is about to name stays
        version = link.with_name(f"{link.name}-{secrets.token_hex(4)}")
        move_synced(partial, version)
        if link.is_dir() and not link.is_symlink():
            os.replace(link, _previous(link))
        point(link, version)
        for path in (_previous(link), *link.parent.glob(f"{link.name}-????????")):
            if path.is_dir() and path != version:
                remove_whole(path)


def restore_previous(link: Path) -> None:
    """Bring back the plain folder that a killed `publish_version` has renamed; otherwise do nothing."""
    with lock(link.parent):
        if _previous(link).exists() and not link.exists() and not link.is_symlink():
            os.replace(_previous(link), link)


def _previous(link: Path) -> Path:
    return link.with_name(f".{link.name}.previous")


def remove_whole(folder: Path) -> None:
    """Remove a folder that others may look at: under its name it is whole, or not there."""
    gone = _partial(folder)
    os.replace(folder, gone)
    shutil.rmtree(gone)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder: links, and folders that no process has locked."""
    for leftover in folder.glob(PARTIAL):
        with suppress(FileNotFoundError):  # another process has just removed or published it
            if leftover.is_symlink():
                leftover.unlink()
            elif leftover.is_dir() and not is_locked(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
