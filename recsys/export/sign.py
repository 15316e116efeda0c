"""Signs a bundle's manifest with an OpenSSH key; `recsys.serve.signature` checks it."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.errors import ConfigError, Fault
from recsys.serve.manifest import MANIFEST
from recsys.serve.signature import INSTALL, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def private_key(path: Path) -> "Ed25519PrivateKey":
    """Read the private key of ssh-keygen -t ed25519, without a passphrase; a ConfigError where the file holds no such key."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    except ImportError as error:
        raise ConfigError(Fault(INSTALL.partition(";")[0], "sign", "pip install cryptography")) from error
    remedy = "name a private key without a passphrase, made by ssh-keygen -t ed25519 -N '' -f KEY"
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:  # the last two: it has a passphrase
        raise ConfigError(Fault(f"the key cannot be read: {error}", f"sign={path}", remedy)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(Fault("the key is none of Ed25519", f"sign={path}", remedy))
    return key


def sign(folder: Path, key: "Ed25519PrivateKey") -> None:
    """Write the signature of a bundle's manifest beside it."""
    (folder / SIGNATURE).write_bytes(base64.b64encode(key.sign((folder / MANIFEST).read_bytes())) + b"\n")
