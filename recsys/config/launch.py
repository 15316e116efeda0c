"""A program's start from its command line: help, checks, many runs by Hydra, exit codes."""

import argparse
import contextlib
import inspect
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from recsys.config import CONFIG
from recsys.config.check import check_config
from recsys.config.command import plain_config
from recsys.config.compose import SweepFaults, checked_command, composed_run, config_loader, earlier_run, searching
from recsys.config.files import conf_folders, config_file
from recsys.config.nodes import typed_config
from recsys.config.processes import FLAG, outlived, received, require_one_directory
from recsys.config.refusals import text_faults
from recsys.disk import require_writable, writing
from recsys.errors import ConfigError, Fault, RecsysError

USAGE = "python {name}.py [group=choice ...] [key=value ...] [-m] [--cfg job] [--help]"
KEY = re.compile(r"^(\w+): +([^#\s][^#\n]*?) *(?:# *(.*))?$", re.MULTILINE)
"""A scalar at the top of a root yaml, and the comment beside it."""
EXIT_CODES = (
    "0 good · 2 config · 3 data · 4 integrity · 5 numerics · 6 resources · 7 every trial of a sweep failed · 8 a pruned trial · "
    "10 to 18 a gate of export.py · 143 stopped by SIGTERM"
)


def launch(
    program: Callable[[Any, Path], Any],
    root: type,
    *,
    name: str,
    about: str,
    examples: tuple[str, ...],
    flags: Mapping[str, str] | None = None,
    place: Callable[..., Path] | None = None,
    sweeps: SweepFaults | None = None,
) -> None:
    """Run `program(config, folder)` for `sys.argv`: once, or with -m once per trial; a faulty config ends with exit code 2 before it.

    Args:
        program: receives the typed root config and the directory of the run.
        root: dataclass of the root config.
        name: of the program and of its root yaml in `conf`.
        about, examples: for --help: what the program does, and command lines.
        flags: {another spelling of an override: the override}; one that ends with "=" takes the next argument as its value.
        place: `place(config, run, fixed=...)` is the directory in which a config runs, where hydra.run.dir says `run`, fixed if on the
            command line; None: the program resumes nothing.
        sweeps: see `checked_command`.
    """
    sys.argv[1:] = _spelled_out(sys.argv[1:], flags or {})
    arguments = _arguments(name)
    conf = conf_folders(arguments.config_path)
    if arguments.help:
        print(help_text(name, about=about, conf=conf, examples=examples))
        return
    if arguments.of_run is not None:
        config, run = received(arguments.of_run)
        with outlived(), plain_errors():
            program(typed_config(config, root), run)
        return
    texts = arguments.overrides
    with plain_errors():
        require_one_directory(texts, multirun=arguments.multirun)
        if not arguments.multirun and not arguments.cfg:
            config, run = composed_run(conf, name, texts, root, resumes=place is not None, sweeps=sweeps)
            if place is not None:
                run = place(config, run, fixed=any(text.lstrip("+").startswith("hydra.run.dir=") for text in texts))
            _run_once(program, config, run)
            return
        if place is not None and (earlier := earlier_run(texts)) is not None:
            if arguments.multirun:
                raise ConfigError(Fault("many runs cannot go on with one", "command line, -m", "leave out -m; a sweep goes on by itself"))
            what, remedy = "a run that goes on has its own config, which --cfg does not print", f"read {earlier[0] / CONFIG}"
            raise ConfigError(Fault(what, "command line, --cfg", remedy))
        command = checked_command(conf, name, texts, root, multirun=arguments.multirun, sweeps=sweeps)
        if not arguments.cfg:
            require_writable(command.sweep)
    hydras = ["--multirun"] * arguments.multirun + ["--resolve"] * arguments.resolve
    hydras += [f"--cfg={arguments.cfg}"] * bool(arguments.cfg) + [f"--package={arguments.package}"] * bool(arguments.package)
    sys.argv[1:] = [*hydras, *command.overrides]

    def job(config: DictConfig) -> None:
        with plain_errors():
            if faults := list(text_faults(plain_config(config), {})):  # a sweep combines what was checked alone
                raise ConfigError(*faults)
            typed = check_config(plain_config(config, resolve=True), root, origin={})
            _run_once(program, typed, Path(HydraConfig.get().runtime.output_dir))

    with searching(conf):
        hydra.main(version_base="1.3", config_path=str(conf[-1]), config_name=name)(job)()


def _spelled_out(arguments: Sequence[str], flags: Mapping[str, str]) -> list[str]:
    """Arguments with every flag as the override that it stands for."""
    rest, spelled = iter(arguments), []
    for argument in rest:
        flag, sign, value = argument.partition("=")
        override = flags.get(flag, argument)
        if override is argument or not override.endswith("="):
            spelled.append(flags.get(argument, argument))
        else:
            spelled.append(override + (value if sign else next(rest, "")))
    return spelled


def _run_once(program: Callable[[Any, Path], Any], config: Any, run: Path) -> None:
    with writing(run):
        run.mkdir(parents=True, exist_ok=True)
    program(config, run)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Errors that name what, where and remedy are printed without a trace; the process ends with their exit code."""
    try:
        yield
    except RecsysError as error:
        console, kind = Console(stderr=True), type(error).__name__.removesuffix("Error")
        if console.is_terminal:
            console.print(Panel(Text(str(error)), title=f"[bold red]{kind} error[/]", title_align="left", border_style="red", expand=False))
        else:
            print(f"{kind} error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _arguments(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"{name}.py", usage=USAGE.format(name=name), add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument(FLAG, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("-cp", "--config-path", type=Path)
    parser.add_argument("overrides", nargs="*")
    return parser.parse_intermixed_args()


def help_text(name: str, *, about: str, conf: Sequence[Path], examples: tuple[str, ...]) -> str:
    """Text of --help: what the program does, what can be chosen and set, examples, exit codes; at the terminal's width."""
    width = min(shutil.get_terminal_size().columns, 110)
    with config_loader(conf, name) as loader:
        choices = loader.compute_defaults_list(name, [], RunMode.RUN).overrides.known_choices
    chosen = {key: choice for key, choice in choices.items() if not key.startswith("hydra/")}
    names = sorted({path.name for folder in conf for path in folder.iterdir() if path.is_dir()})
    groups = {group: sorted({file.stem for folder in conf for file in (folder / group).glob("*.yaml")}) for group in names}
    rows = []
    for group, names in groups.items():
        used = {value for key, value in chosen.items() if key.partition("@")[0] == group}
        roles = [key for key in chosen if key.startswith(f"{group}@")]
        listed = ", ".join(f"[{entry}]" if entry in used else entry for entry in names)
        rows += [(key, listed) for key in roles or [group] if key in chosen]
    indent = max((len(key) for key, _ in rows), default=0) + 5
    lines = [inspect.cleandoc(about), "", f"usage: {USAGE.format(name=name)}", ""]
    if chosen:
        example = next(f"{key}={value}" for key, value in chosen.items() if value)
        lines += [f"Groups: one file of conf/<group> each, the default in brackets; e.g. {example}"]
        for key, listed in rows:
            lines += [textwrap.fill(listed, width, initial_indent=f"  {key}=".ljust(indent), subsequent_indent=" " * indent)]
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
