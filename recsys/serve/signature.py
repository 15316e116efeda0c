"""The signature of a bundle: Ed25519 over the bytes of manifest.json, which names every other file by its sha256. Needs `cryptography`.

Keys are those of ssh-keygen -t ed25519: the private one signs an export, the public one is all that a server has.
"""

import base64
import binascii
from pathlib import Path

from recsys.serve.manifest import BundleError

SIGNATURE = "manifest.json.sig"
"""File of the bundle: 64 bytes in base64. The manifest does not name it."""
INSTALL = "signatures need cryptography, which is not installed; pip install cryptography"
LONGEST = 1_000
"""Bytes of the file, at most."""


def check_signature(folder: Path, manifest: bytes, key: str | Path) -> None:
    """Refuse a bundle that the owner of a key has not signed.

    Args:
        folder: the bundle.
        manifest: content of its manifest.json.
        key: the public key as text, `ssh-ed25519 AAAA...`, or the file that holds it.
    Raises:
        BundleError: there is no signature, or it is not that of this manifest by this key.
        ValueError: the key is none.
    """
    try:
        from cryptography.exceptions import InvalidSignature
    except ImportError as error:
        raise BundleError(INSTALL) from error
    path = folder / SIGNATURE
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
        raise BundleError(f"{folder} is not signed: it has no {SIGNATURE}; export the run again with --sign KEY")
    public = _public_key(key)
    try:
        public.verify(base64.b64decode(path.read_bytes(), validate=False), manifest)
    except (InvalidSignature, binascii.Error) as error:
        raise BundleError(
            f"{path} is no signature of this manifest by the key {key}; use the bundle or the key of who exported it"
        ) from error


def _public_key(key: str | Path):
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    text = str(key)
    try:
        public = load_ssh_public_key(text.encode() if text.startswith("ssh-") else Path(key).read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"'key': got {text:.100}; want an OpenSSH public key, or the file that holds it: {error}") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError(f"'key': got {text:.100}; want one of ssh-keygen -t ed25519")
    return public
