"""Passwords, keys and tokens out of all that a run leaves behind: config, lineage, logs, Weights & Biases and bundles say `<hidden>`."""

import logging
import re
from typing import Any

HIDDEN = "<hidden>"
WORDS = r"(?:api|access|private|auth|account|secret)[_-]?key|passw|secret|credential|signature"
"""Parts of the names whose text nobody else should read, as keys of a config and as parameters of an address."""
ENDS = r"token|pwd|sig"
"""Last words of such names: `hf_token` is one, `num_tokens` none."""
SECRET = re.compile(rf"(?i){WORDS}|(?:^|[_.\-])(?:{ENDS})$")
LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.\-]{1,30}:/+)(?:[^/\s'\"]+|[^/\s'\"@:]*:(?!\d+/)[^\s'\"@]*)(?=@)")
"""`user:password` of an address, also of one that became a path: `s3:/me:password@host`."""
ASSIGNED = rf"(?<![\w.\-])((?:[\w.\-]{{0,99}}(?:{WORDS})[\w.\-]{{0,99}}|(?:[\w.\-]{{0,99}}[_.\-])?(?:{ENDS}))"
PATTERNS = (
    LOGIN,
    re.compile(r"(?i)\b(bearer\s+|authorization['\"]?\s*[:=]\s*['\"]?\w+\s+)[\w.~+/=\-]{4,}"),
    re.compile(rf"""(?i)(?<=')({ASSIGNED}=))[^']*(?=')"""),  # 'password=two words', as a shell quotes an argument
    re.compile(rf"""(?i){ASSIGNED}['"]?\s*[=:]\s*)(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""),
    re.compile(rf"""(?i){ASSIGNED}\s*[=:]\s*)[^\s&'"}}]+"""),
)
"""Each keeps its first group, and hides what follows."""


def without_secrets(document: Any, name: str = "") -> Any:
    """A copy of a JSON document, or of a text, in which what looks like a password or a key is hidden.

    Args:
        document: mappings, lists, text, numbers.
        name: the key that the document stands under.

    Example:
        >>> without_secrets({"root": "s3://me:pw@host/x", "store": {"password": "pw"}, "command": "train.py a.token=pw seed=1"})
        {'root': 's3://<hidden>@host/x', 'store': {'password': '<hidden>'}, 'command': 'train.py a.token=<hidden> seed=1'}
    """
    if isinstance(document, dict):
        return {key: without_secrets(value, str(key)) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_secrets(value, name) for value in document]
    if not isinstance(document, str):
        return document
    if document and SECRET.search(name):
        return HIDDEN
    for pattern in PATTERNS:
        document = pattern.sub(rf"\1{HIDDEN}", document)
    return document


def argument_without_secrets(argument: str) -> str:
    """One argument of a command line, whose value may hold blanks.

    Example:
        >>> argument_without_secrets("data.password=two words"), argument_without_secrets("data.root=s3:/me:pw@host/x")
        ('data.password=<hidden>', 'data.root=s3:/<hidden>@host/x')
    """
    name, sign, value = argument.partition("=")
    return f"{name}=" + without_secrets(value, name) if sign and SECRET.search(name) else without_secrets(argument)


class ScrubbedFormatter(logging.Formatter):
    """Lines of a log, with messages and traces of errors, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return without_secrets(super().format(record))
