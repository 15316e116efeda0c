"""The manifest of a bundle, and the check that its files are those of the export.

Only files that the manifest names are ever opened. The folder may be reached by a link (a release that is switched by one); a file in it
may not be a link, as it would be no part of the bundle.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

MANIFEST = "manifest.json"
GOLDEN = "golden.json"
"""A few requests and their answers; always read where the bundle has them."""
FORMAT = 1
"""Format of the manifest that this version writes; a higher one is of a later version."""
MAX_MANIFEST = 64 * 2**20
"""Bytes of a manifest, at most."""


Bundle = tuple[dict, dict[str, bytes]]
"""The manifest, and {name: checked content} of some files."""


class BundleError(ValueError):
    """A file of the bundle is missing, or not what the manifest says."""


def read_bundle(folder: Path, keep: Sequence[str], key: str | Path | None = None) -> Bundle:
    """Check every file against the manifest; gives the content of `keep` and of the few golden requests, as it was checked.

    Args:
        key: public key whose owner has to have signed the bundle; see `recsys.serve.signature`. None: it need not be signed.
    """
    manifest = read_manifest(folder, key)
    contents = {}
    for name, facts in manifest["files"].items():
        path = _check_file(folder, name, facts)
        with path.open("rb") as file:
            if name in keep or name == GOLDEN:
                contents[name] = file.read(facts["size"] + 1)
                digest = hashlib.sha256(contents[name]).hexdigest()
            else:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != facts["sha256"]:
            raise BundleError(
                f"{path} is not the exported file: its sha256 is {digest}, the manifest says {facts['sha256']}; export the run again"
            )
    missing = [name for name in keep if name not in contents]
    if missing:
        raise BundleError(f"{folder} holds no {missing[0]}; want a bundle of a run that makes one")
    return manifest, contents


def read_manifest(folder: Path, key: str | Path | None = None) -> dict:
    """The manifest, checked by its own sha256, and by its signature where a key is given; the files are not looked at."""
    path = folder / MANIFEST
    if folder.is_symlink() and not folder.exists():
        raise BundleError(
            f"{folder} is a link to {folder.readlink()}, which is not there; copy a bundle with its files: cp -rL BUNDLE PLACE"
        )
    if not path.is_file():
        raise BundleError(f"{folder} holds no {MANIFEST}; want a folder that export.py has written")
    if path.is_symlink() or path.stat().st_size > MAX_MANIFEST:
        raise BundleError(f"{path} is a link, or longer than {MAX_MANIFEST} bytes; export the run again")
    content = path.read_bytes()
    if key is not None:
        from recsys.serve.signature import check_signature  # needs a package that other servers do without

        check_signature(folder, content, key)
    try:
        manifest = json.loads(content)
        unsigned = {key: value for key, value in manifest.items() if key != "sha256"}
        intact = content == render_manifest(manifest) and manifest["sha256"] == hashlib.sha256(render_manifest(unsigned)).hexdigest()
        files = {name: (facts["size"], facts["sha256"]) for name, facts in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {error}; export the run again") from error
    if not intact or not all(isinstance(size, int) and isinstance(sha256, str) for size, sha256 in files.values()):
        raise BundleError(f"{path} has been changed since the export; export the run again")
    if manifest.get("format", FORMAT) != FORMAT:
        raise BundleError(f"{path} is of format {manifest['format']!r}, this version reads {FORMAT}; install the version that exported it")
    return manifest


def render_manifest(document: dict) -> bytes:
    """The one spelling of a manifest, so that a changed byte is a changed document."""
    return (json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def _check_file(folder: Path, name: str, facts: dict) -> Path:
    """Path of a file in the folder itself, which has the size that the manifest says; its content is not read."""
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
        raise BundleError(f"{folder / MANIFEST} names the file {name!r}, which is not in the bundle's folder; export the run again")
    path = folder / name
    if path.is_symlink():
        raise BundleError(f"{path} is a link; a bundle holds its files themselves: copy the bundle with its files, or export the run again")
    if not path.is_file():
        raise BundleError(f"{path} is missing; export the run again")
    size = path.stat().st_size
    if size != facts["size"]:
        raise BundleError(f"{path} is not the exported file: it has {size} bytes, the manifest says {facts['size']}; export the run again")
    return path
