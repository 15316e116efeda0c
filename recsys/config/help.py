"""The text of --help, written from the program's docstring and the files of conf."""

import inspect
import re
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

import yaml

from recsys.config.files import LOADER, config_file, is_group

KEY = re.compile(r"^(\w+): +([^#\s][^#\n]*?) *(?:# *(.*))?$", re.MULTILINE)
"""A scalar at the top of a root yaml, and the comment beside it."""
EXIT_CODES = (
    "0 good · 2 config · 3 data · 4 integrity · 5 numerics · 6 resources · 7 every trial of a sweep failed · 8 a pruned trial · "
    "10 to 17 a gate of export.py · 143 stopped by SIGTERM"
)


def help_text(name: str, *, about: str, conf: Sequence[Path], examples: tuple[str, ...]) -> str:
    """What the program does, what can be chosen and set, examples, exit codes; at the terminal's width."""
    width = min(shutil.get_terminal_size().columns, 110)
    chosen = _defaults(conf, name)
    names = sorted({path.name for folder in conf for path in folder.iterdir() if path.is_dir()})
    groups = {group: sorted({file.stem for folder in conf for file in (folder / group).glob("*.yaml")}) for group in names}
    rows = []
    for group, names in groups.items():
        used = {value for key, value in chosen.items() if key.partition("@")[0] == group}
        roles = [key for key in chosen if key.startswith(f"{group}@")]
        listed = ", ".join(f"[{entry}]" if entry in used else entry for entry in names)
        rows += [(key, listed) for key in roles or [group] if key in chosen]
    indent = max((len(key) for key, _ in rows), default=0) + 5
    lines = [
        inspect.cleandoc(about),
        "",
        f"usage: python {name}.py {'[group=choice ...] ' if chosen else ''}[key=value ...] [-m] [--cfg job] [--help]",
        "",
    ]
    if chosen:
        lines += [
            "Groups: one file of conf/<group> each, the default in brackets; e.g. "
            + next(f"{key}={value}" for key, value in chosen.items())
        ]
        lines += [
            textwrap.fill(listed, width, initial_indent=f"  {key}=".ljust(indent), subsequent_indent=" " * indent) for key, listed in rows
        ]
        lines += [""]
    path = config_file(conf, name)
    keys = [match.groups("") for match in KEY.finditer(path.read_text() if path else "")]
    lines += ["Keys" + (": any value of the resolved config; print all of them with --cfg job." if chosen else ":")]
    lines += [f"  {key}={value}".ljust(22) + f" {comment}".rstrip() for key, value, comment in keys]
    lines += ["  trainer.max_epochs=3   (a key inside a group)"] if "trainer" in chosen else []
    lines += ["", "Flags:", "  -h, --help            this text"]
    lines += ["  -c, --cfg job         print the config instead of running; --resolve fills in ${...}, --package loss prints a part"]
    lines += ["  -m, --multirun        run once for every combination of comma-separated values: seed=0,1,2; or as sweep=NAME says"]
    lines += ["  -cp, --config-path    folder of the yaml files, instead of conf"]
    lines += ["", "Examples:", *(f"  {example}" for example in examples), "", f"Exit codes: {EXIT_CODES}"]
    return "\n".join(lines)


def _defaults(conf: Sequence[Path], name: str) -> dict[str, str]:
    """{group or group@place: choice} of a root config, the groups that its choices bring included."""
    chosen: dict[str, str] = {}
    path = config_file(conf, name)
    document = None if path is None else yaml.load(path.read_text(), Loader=LOADER)  # a SafeLoader
    for entry in document["defaults"] if document and "defaults" in document else []:
        for key, choice in entry.items() if isinstance(entry, dict) else ():
            group = key.lstrip("/")
            if not key.startswith("override ") and is_group(conf, group.partition("@")[0]):
                chosen[group] = str(choice)
                chosen.update(_defaults(conf, f"{group}/{choice}"))
    return chosen
