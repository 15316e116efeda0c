"""The yaml files of conf: their folders, what is refused before anything reads them, the line of every key.

Of a file in several folders the first counts: that of `conf` in the working directory, then that of the program's own.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from recsys.errors import ConfigError, Fault

LARGEST_BYTES, DEEPEST = 1_000_000, 50
"""Size of a file, more is data and takes seconds to parse; levels of mappings and lists, thousands of which would end the process."""
ENVIRONMENT = re.compile(r"\$\{\s*oc\.")
"""Calls of OmegaConf's resolvers: oc.env would carry secrets into the saved config and the logs."""
SEARCHPATH = "searchpath"
"""Hydra imports the packages of its search path when it composes, so before a composed config can be checked."""
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
PACKAGE = Path(__file__).parents[1]
FORMAT = 3
"""Version of the keys of a run's config.yaml; files from before it have none."""


def conf_folders(own: Path | None = None) -> tuple[Path, ...]:
    """The folders of yaml files: `own` alone where it is given, else `conf` of the working directory before the program's."""
    if own is not None:
        return (own.resolve(),)
    home = next(folder for folder in (PACKAGE / "conf", PACKAGE.parent / "conf") if (folder / "train.yaml").is_file())
    here = Path("conf").resolve()
    names = {path.name for path in home.iterdir()}
    is_another_programs = (here.parent / PACKAGE.name).is_dir()
    is_ours = here.is_dir() and not is_another_programs and any(path.name in names for path in here.iterdir())
    return (here, home) if is_ours else (home,)


def config_file(conf: Sequence[Path], name: str) -> Path | None:
    """The file `<name>.yaml` of the first folder that has it."""
    return next((path for folder in conf if (path := folder / f"{name}.yaml").is_file()), None)


def file_faults(conf: Sequence[Path]) -> Iterator[Fault]:
    """Faults of files that are too large or deep, use aliases (a few can stand for gigabytes), or read environment or packages."""
    for folder in conf:
        for path in sorted(folder.rglob("*.yaml")):
            yield from _text(path, shown_path(path, folder))[1]


def read_document(path: Path) -> Any:
    """Content of a yaml file of another run; a ConfigError where it is too large, too deep, uses aliases, or is no yaml."""
    text, faults = _text(path, str(path))
    if faults:
        raise ConfigError(*faults)
    try:
        return yaml.load(text, Loader=LOADER)  # a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        what = f"not readable as yaml: {' '.join(str(error).split()):.200}"
        raise ConfigError(Fault(what, str(path), "restore the file from a copy, or train again")) from error


def saved_config(path: Path) -> dict[str, Any]:
    """Keys of a run's config.yaml; a ConfigError where it is missing, cannot be read, or another version of this package wrote it."""
    if not path.exists():
        remedy = "name the directory of a run, which train.py prints as its last line"
        raise ConfigError(Fault(f"there is no {path.name}, so no run has begun to train", str(path.parent), remedy))
    document = read_document(path)
    if not isinstance(document, dict):
        raise ConfigError(Fault("it holds no keys", str(path), "restore the file from a copy, or train again"))
    number = document.pop("format", None)
    if number != FORMAT:
        version = "no format" if number is None else f"format {number}"
        what = f"another version of this package trained this run: its {path.name} has {version}, and this version reads format {FORMAT}"
        remedy = "train again with this version, or use the version that trained it: lineage.json beside the file names its commit"
        raise ConfigError(Fault(what, str(path), remedy))
    return document


def _text(path: Path, name: str) -> tuple[str, list[Fault]]:
    """The text of a yaml file that can be read without harm; otherwise "" and its faults."""
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
            where = f"{name}, line {event.start_mark.line + 1 if event.start_mark else 1}"
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


def shown_path(path: Path, folder: Path) -> str:
    """A file of a folder as a reader knows it: conf/loss/bpr.yaml."""
    return str(path.relative_to(folder.parent)) if path.is_relative_to(folder.parent) else str(path)
