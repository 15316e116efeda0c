"""The yaml files of conf: what is refused before anything reads them, the line of every key, the purpose in the header."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from recsys.errors import ConfigError, Fault

LARGEST_BYTES = 1_000_000
"""A larger file is data, not configuration, and takes seconds to parse."""
DEEPEST = 50
"""Mappings and lists in one another; thousands would end the process."""
ENVIRONMENT = re.compile(r"\$\{\s*oc\.")
"""Calls of OmegaConf's resolvers: oc.env would carry secrets into the saved config and the logs."""
SEARCHPATH = "searchpath"
"""Hydra imports the packages of its search path when it composes, so before a composed config can be checked."""
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def file_faults(conf: Path) -> Iterator[Fault]:
    """Files that are too large or too deep, use aliases (a few lines of them can stand for gigabytes), read the environment, or name
    packages for Hydra to import.
    """
    for path in sorted(conf.rglob("*.yaml")):
        yield from _text(path, shown(path, conf))[1]


def read_document(path: Path) -> Any:
    """What a yaml file of another run holds.

    Raises:
        ConfigError: it is too large, too deep, uses aliases, or is no yaml.
    """
    text, faults = _text(path, str(path))
    if faults:
        raise ConfigError(*faults)
    try:
        return yaml.load(text, Loader=LOADER)  # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        what = f"not readable as yaml: {' '.join(str(error).split()):.200}"
        raise ConfigError(Fault(what, str(path), "restore the file from a copy, or train again")) from error


def _text(path: Path, name: str) -> tuple[str, list[Fault]]:
    """The text of a yaml file that can be read without harm; "" and why not otherwise."""
    try:
        if not path.is_file():
            raise OSError("it is no regular file")  # a pipe would be waited for, a device has no end
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        return "", [Fault(f"cannot be read: {error}", name, "make it a readable text file, or remove it")]
    if len(content) > LARGEST_BYTES:
        what = f"more than {LARGEST_BYTES:,} bytes of yaml"
        return "", [Fault(what, name, f"keep a config below {LARGEST_BYTES:,} bytes; put data into a data file")]
    faults = list(_event_faults(text, name))
    return "" if faults else text, faults


def _event_faults(text: str, name: str) -> Iterator[Fault]:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            where = f"{name}, line {event.start_mark.line + 1}"
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                yield Fault(f"more than {DEEPEST} levels of yaml", where, "make it flatter")
                return
            if isinstance(event, yaml.AliasEvent):
                yield Fault("yaml aliases (*name) are not read here", where, "write it out")
            elif isinstance(event, yaml.ScalarEvent) and ENVIRONMENT.search(event.value):
                yield Fault("a config may not read the environment", where, "write the value, or pass it on the command line")
            elif isinstance(event, yaml.ScalarEvent) and event.value == SEARCHPATH:
                yield Fault("configs are read from conf alone", where, "remove searchpath, and put the files into conf")
    except yaml.YAMLError:  # reported by whoever loads it, if the file is used at all
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
