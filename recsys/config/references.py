"""References such as `${data.root}` in a config: the only interpolations that are read, and how much text they stand for."""

import math
import re
from collections.abc import Iterator
from typing import Any

from recsys.errors import Fault

REFERENCE = re.compile(r"\$\{\s*([\w.-]+)\s*\}")
LARGEST_CHARACTERS = 1_000_000
"""Of a config with every reference replaced: ten lines that each repeat the one before ten times would fill the memory."""
LONGEST_CHAIN = 20
"""References that lead from one to the next."""


def calls(text: str) -> bool:
    """Whether an interpolation is more than the name of another key: it calls a function, or is put together from others."""
    return "${" in REFERENCE.sub("", text)


def expansion_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """References of a plain, unresolved config that lead back to themselves, or stand for more text than a config can hold."""
    sizes = _Sizes(config)
    if sizes.of(config) <= LARGEST_CHARACTERS:
        return
    key, text = max(((key, text) for key, text in texts(config) if "${" in text), key=lambda pair: sizes.of(pair[1]))
    stands = "leads back to itself" if math.isinf(sizes.of(text)) else f"stands for {sizes.of(text):,} characters"
    yield Fault(f"'{text:.80}' {stands}", f"{origin.get(key, 'config')}, key '{key}'", "write the value")


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of every text in a plain config."""
    if isinstance(node, str):
        yield path, node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield from texts(value, f"{path}.{key}" if path else str(key))


class _Sizes:
    """Characters of a value with every reference replaced; infinite where there is no end."""

    def __init__(self, config: dict):
        self.config = config
        self.known: dict[str, float] = {}

    def of(self, node: Any, steps: int = 0) -> float:
        if isinstance(node, dict):
            return sum(len(str(key)) + self.of(value, steps) for key, value in node.items())
        if isinstance(node, list):
            return sum(1 + self.of(value, steps) for value in node)
        return len(REFERENCE.sub("", str(node))) + sum(self.named(key, steps + 1) for key in REFERENCE.findall(str(node)))

    def named(self, key: str, steps: int) -> float:
        if key not in self.known:
            self.known[key] = math.inf  # until it is known: whoever asks meanwhile stands in a circle
            self.known[key] = math.inf if steps > LONGEST_CHAIN else self.of(_value(self.config, key), steps)
        return self.known[key]


def _value(node: Any, key: str) -> Any:
    """What stands there, None where nothing does: OmegaConf says so."""
    for part in key.split("."):
        if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node
