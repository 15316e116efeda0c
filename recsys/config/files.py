"""The yaml files of conf: what is refused before anything reads them, the line of every key, the purpose in the header."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from recsys.errors import Fault

LARGEST_BYTES = 1_000_000
"""A larger file is data, not configuration, and takes seconds to parse."""
ENVIRONMENT = re.compile(r"\$\{\s*oc\.")
"""Calls of OmegaConf's resolvers: oc.env would carry secrets into the saved config and the logs."""
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def file_faults(conf: Path) -> Iterator[Fault]:
    """Files that are too large, use aliases (a few lines of them can stand for gigabytes) or read the environment."""
    for path in sorted(conf.rglob("*.yaml")):
        name = shown(path, conf)
        if path.stat().st_size > LARGEST_BYTES:
            yield Fault(
                f"{path.stat().st_size:,} bytes of yaml", name, f"keep a config below {LARGEST_BYTES:,} bytes; put data into a data file"
            )
            continue
        text = path.read_text()
        for number, line in enumerate(text.splitlines(), 1):
            if ENVIRONMENT.search(line.partition("#")[0]):
                yield Fault(
                    "a config may not read the environment", f"{name}, line {number}", "write the value, or pass it on the command line"
                )
        if "*" in text:
            yield from (Fault("yaml aliases (*name) are not read here", f"{name}, line {line}", "write it out") for line in _aliases(text))


def _aliases(text: str) -> Iterator[int]:
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.AliasEvent):
                yield event.start_mark.line + 1
    except yaml.YAMLError:  # reported by Hydra's own reading, if the file is used at all
        return


def key_lines(path: Path) -> dict[str, int]:
    """{dotted key: line, from 1} of a yaml file without aliases; "" is its first line of content."""
    root = yaml.compose(path.read_text(), Loader=LOADER)
    return dict(_lines(root, "")) if root is not None else {"": 1}


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            yield from _lines(value, inner)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, f"{path}.{number}")


def purpose(path: Path) -> str:
    """The first comment line of a yaml file up to its command, as `# Purpose.   python train.py ...` has it."""
    for line in path.read_text().splitlines():
        if line.startswith("# ") and not line.startswith("# @package"):
            return line.removeprefix("# ").partition("   ")[0]
    return ""


def shown(path: Path, conf: Path) -> str:
    """A config file as a reader knows it: conf/loss/bpr.yaml."""
    return str(path.relative_to(conf.parent)) if path.is_relative_to(conf.parent) else str(path)
