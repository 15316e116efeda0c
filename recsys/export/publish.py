"""A directory that appears whole or not at all, and the manifest that says what is in it.

While it is written, it stands beside its final place as `.<name>.<random>.partial`; one rename publishes it. On Linux that rename
exchanges the new directory with the old one in a single step. Elsewhere the old one is set aside for a moment, and brought back by
the next `publishing` if that moment was the last.
"""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from recsys.disk import sync
from recsys.errors import ConfigError, Fault
from recsys.serve.manifest import MANIFEST, render_manifest

AT_FDCWD = -100
RENAME_EXCHANGE = 2


@contextlib.contextmanager
def publishing(folder: Path, *, dry_run: bool = False) -> Iterator[Path]:
    """An empty directory to write into; it becomes `folder` when the block ends, and vanishes if the block raises.

    Args:
        folder: final place; a bundle that stands there is replaced, and only by a finished directory.
        dry_run: the directory vanishes in any case.

    Raises:
        ConfigError: something else than a bundle stands there.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.previous")
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    with _locked(folder.parent):  # a directory that is made and not locked yet looks abandoned
        if aside.exists() and not folder.exists():
            aside.rename(folder)
        if folder.exists() and not (folder / MANIFEST).exists():
            raise ConfigError(
                Fault(f"what stands there is no bundle: it has no {MANIFEST}", str(folder), "remove it, or export to another folder")
            )
        _remove_abandoned(folder)
        partial.mkdir()
        alive = os.open(partial, os.O_RDONLY)
        fcntl.flock(alive, fcntl.LOCK_EX)  # held until the end, also an end by kill -9
    try:
        yield partial
        for path in [*partial.iterdir(), partial]:
            sync(path)
        if not dry_run:
            _replace(partial, folder, aside)
            sync(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # after an exchange: the old directory
        os.close(alive)


def write_manifest(folder: Path, facts: dict) -> dict:
    """Write manifest.json anew: `facts`, then name, sha256 and size of every other file, then the sha256 of the manifest itself.

    Returns:
        The whole document.
    """
    files = {
        path.name: {"sha256": file_sha256(path), "size": path.stat().st_size} for path in sorted(folder.iterdir()) if path.name != MANIFEST
    }
    document = {**facts, "files": files}
    document["sha256"] = hashlib.sha256(render_manifest(document)).hexdigest()
    (folder / MANIFEST).write_bytes(render_manifest(document))
    return document


def file_sha256(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time; the lock is of the directory itself, and leaves nothing behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed exports left beside `folder`: partial directories that no process holds."""
    for path in folder.parent.glob(f".{folder.name}.*.partial"):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # another export has just ended
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue  # another export to the same place is at work
        finally:
            os.close(descriptor)


def _replace(partial: Path, folder: Path, aside: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
    elif not _exchange(partial, folder):
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        partial.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step; False where the system has no such call."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library older than 2018
        return False
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL):  # the kernel or this file system cannot
        return False
    raise OSError(number, os.strerror(number), str(other))
