"""Publication of a bundle, whole or not at all, and its manifest."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.disk import file_sha256
from recsys.disk.folders import partial_folder, publish_version, restore_previous
from recsys.errors import ConfigError, Fault
from recsys.serve.manifest import MANIFEST, render_manifest


@contextmanager
def publishing(folder: Path, *, dry_run: bool = False) -> Iterator[Path]:
    """An empty directory to write a bundle into; `folder` names it when the block ends, and it vanishes if the block raises.

    `folder` becomes a link to a directory beside it, so that one step replaces the bundle before: copy it with `cp -rL`.

    Args:
        folder: a bundle that stands there, also as a plain directory, is replaced, and only by a finished one; a ConfigError where
            something else stands there.
        dry_run: the directory vanishes in any case.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    link = folder.parent.resolve() / folder.name
    restore_previous(link)
    if link.exists() and not (link / MANIFEST).exists():
        what = f"what stands there is not a bundle: it has no {MANIFEST}"
        raise ConfigError(Fault(what, str(link), "move it away, or remove it"))
    with partial_folder(link) as partial:
        yield partial
        if not dry_run:
            publish_version(partial, link)


def write_manifest(folder: Path, facts: dict) -> dict:
    """Write manifest.json anew, and return it: `facts`, sha256 and size of every other file, and the sha256 of the manifest itself."""
    paths = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    files = {path.name: {"sha256": file_sha256(path), "size": path.stat().st_size} for path in paths}
    document = {**facts, "files": files}
    document["sha256"] = hashlib.sha256(render_manifest(document)).hexdigest()
    (folder / MANIFEST).write_bytes(render_manifest(document))
    return document
