"""What it takes for a file to be on disk, and what to say when it cannot be."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from recsys.errors import Fault, ResourceError

REMEDY = "free space or permit writing there, or choose another folder"


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Whatever keeps the block from writing under `place`, as a ResourceError with the path and the bytes that are free."""
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors tells of a full disk in its own way
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        free = shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.exists())).free
        where = str(getattr(error, "filename", None) or place)
        raise ResourceError(Fault(f"{said}, with {free:,} bytes free", where, REMEDY)) from error
