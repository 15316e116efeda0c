"""What of a config or a record may leave the machine: everything but values that look like a password or a key."""

import re
from typing import Any

SECRET = re.compile(r"(?i)(api|access|private|auth)_?key|passw|secret|credential|(^|_)(token|pwd)$")
"""Names of keys whose text nobody else should read."""
USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
"""`user:password` of an address."""
ASSIGNED = re.compile(r"(?i)([\w.]*(?:(?:api|access|private|auth)_?key|passw\w*|secret|credential|token|pwd))=[^\s,;&'\"}]+")
"""`password=...`, as in a command line."""
HIDDEN = "hidden"


def without_secrets(document: Any, name: str = "") -> Any:
    """The same document with texts under such names hidden, wherever they stand.

    Example:
        >>> without_secrets({"root": "s3://me:pw@host/x", "store": {"password": "pw"}, "command": "train.py a.token=pw seed=1"})
        {'root': 's3://hidden@host/x', 'store': {'password': 'hidden'}, 'command': 'train.py a.token=hidden seed=1'}
    """
    if isinstance(document, dict):
        return {key: without_secrets(value, str(key)) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_secrets(value, name) for value in document]
    if not isinstance(document, str):
        return document
    return HIDDEN if SECRET.search(name) else ASSIGNED.sub(rf"\1={HIDDEN}", USERINFO.sub(HIDDEN, document))
