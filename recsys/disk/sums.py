"""Hashes of a folder whose files never change: written once, checked at every use, read again only where a file was touched."""

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from recsys.disk import file_sha256, write_whole
from recsys.disk.locks import lock
from recsys.disk.records import reading
from recsys.errors import Fault, IntegrityError, ResourceError, name_list
from recsys.machine import threads

SUMS = "SHA256SUMS"
"""Hash and name of every other file of a folder, as `sha256sum --check SHA256SUMS` reads them."""
CHECKED = ".checked.json"
"""{name: the hash that its content had, and what the file system said of the file then}; without it every file is read again."""
LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")
SETTLED_S = 2.0
"""Age of a file's last change, at least, for its content to be remembered: within one tick of its clock, a file changes unseen."""


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS of all files of a folder that is not published yet."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    hashes = _hashes(folder, names)
    (folder / SUMS).write_text("".join(f"{hashes[name]}  {name}\n" for name in names))


def check_sums(folder: Path, remedy: str) -> None:
    """Hold every file of a folder against SHA256SUMS; an IntegrityError names those that are missing, or not what was written.

    A file is read where `.checked.json` does not say that its content was right, or its size, inode or time of change differ since then.
    No program can set a time of change (ctime), so that whatever is written through the file system is seen; what a disk alone loses is
    seen when the folder was copied, or `.checked.json` removed. However many processes ask at once, one of them reads.
    """
    with reading(folder / SUMS, remedy):
        wanted = _parsed((folder / SUMS).read_text("utf-8"))
    with reading(folder, remedy), lock(folder):
        before, stats = _checked(folder), {name: _stat(folder / name) for name in wanted}
        unread = [name for name, stat in stats.items() if stat is not None and before.get(name) != [wanted[name], *stat]]
        hashes = _hashes(folder, unread)
        wrong = [name for name, sha256 in wanted.items() if stats[name] is None or hashes.get(name, sha256) != sha256]
        if wrong:
            noun = "file is" if len(wrong) == 1 else "files are"
            raise IntegrityError(Fault(f"{len(wrong)} {noun} missing or not as written: {name_list(wrong)}", str(folder), remedy))
        if unread:
            settled = time.time_ns() - int(SETTLED_S * 1e9)
            facts = {name: [wanted[name], *stat] for name, stat in stats.items() if stat is not None and max(stat[1:3]) < settled}
            with suppress(ResourceError):  # of a place that may only be read: the next process reads every file again
                write_whole(folder / CHECKED, json.dumps(facts) + "\n")


def _parsed(text: str) -> dict[str, str]:
    """{name: hash} of the content of SHA256SUMS."""
    lines = text.split("\n")  # splitlines takes more characters than this one for an end
    entries = [LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1] or not entries or None in entries:
        raise ValueError("it is no list of hashes and names")
    return {entry[2]: entry[1] for entry in entries if entry}


def _checked(folder: Path) -> dict[str, list]:
    """What was remembered; empty where nothing was, or it cannot be read."""
    with suppress(OSError, ValueError):
        document = json.loads((folder / CHECKED).read_bytes())
        return document if isinstance(document, dict) else {}
    return {}


def _stat(path: Path) -> list[int] | None:
    """Size, times of change of content and of facts [ns], inode; None where there is no file."""
    with suppress(FileNotFoundError, NotADirectoryError):
        entry = os.stat(path)
        return [entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns, entry.st_ino]
    return None


def _hashes(folder: Path, names: list[str]) -> dict[str, str]:
    """{name: sha256}; several files at once, as hashing leaves other threads free."""
    with ThreadPoolExecutor(threads()) as pool:
        return dict(zip(names, pool.map(lambda name: file_sha256(folder / name), names)))
