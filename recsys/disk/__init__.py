"""Files that appear whole. `recsys.disk` is the only room that renames, syncs or locks.

Content is written and synced, then its name appears in one step and is synced: a reader sees all of it or what stood there before.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from recsys.errors import Fault, ResourceError

SPACE = "free space or permit writing there, or choose another folder"
OF_THE_MACHINE: dict[int | None, str] = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files, as with `ulimit -n 65536`, and start again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "permit this user to use it, or choose another folder"),
    errno.ENOMEM: "free memory, and start again",
    errno.EIO: "copy what can be read to another disk: this one, or the way to it, is broken",
    errno.ESTALE: "wait for the network's file system, and start again",
}
"""{error of the system that says nothing about the content of a file: remedy}."""


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what keeps the block from writing under `place` into a ResourceError with the path and the number of free bytes."""
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if os.path.exists(folder))).free
        where = str(getattr(error, "filename", None) or place)
        remedy = OF_THE_MACHINE.get(error_number(error), SPACE)
        raise ResourceError(Fault(f"{reason}, with {free:,} bytes free", where, remedy)) from error


def require_writable(place: Path) -> None:
    """Refuse a file or folder, there or not, that could not be written; a ResourceError as from `writing`."""
    there = next(folder for folder in (place, *place.parents) if os.path.exists(folder))
    with writing(place):
        if there != place and not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        if not os.access(there, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def error_number(error: BaseException) -> int | None:
    """Number of the system's error behind an exception, such as `errno.EMFILE`; libraries in Rust say it in their text alone."""
    number, text = getattr(error, "errno", None), re.search(r"\(os error (\d+)\)", str(error))
    return int(text[1]) if number is None and text else number


def move_synced(source: Path, target: Path) -> None:
    """Rename a file, link or folder: its content is on disk before `target` appears, and that name before this returns.

    `target` is in an existing folder of the same file system; a file or link that stands there is replaced, a filled folder is not.
    """
    if not source.is_symlink():
        for path in (*source.rglob("*"), source):
            sync(path)
    os.replace(source, target)
    sync(target.parent)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` for the block to write a file to, which becomes `path` when the block ends, and vanishes if it raises.

    A ResourceError where the disk is full, or may not be written.
    """
    aside = path.with_name(f".{path.name}.tmp")
    with writing(path):
        try:
            yield aside
            move_synced(aside, path)
        finally:
            aside.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is there or not there, never half of it; see `whole_file`."""
    with whole_file(path) as aside:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)


def file_sha256(path: Path) -> str:
    """Hash of a file as 64 hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
