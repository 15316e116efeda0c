"""Runs a program from its command line: help, checks, Hydra, exit codes."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from recsys.config import CONFIG, typed
from recsys.config.check import EVERYTHING, check_config
from recsys.config.compose import checked
from recsys.config.help import help_text
from recsys.config.processes import FLAG, handed_on, outlived, received, require_one_directory
from recsys.config.refusals import text_faults
from recsys.config.resume import found, resumed
from recsys.errors import ConfigError, Fault, RecsysError

log = logging.getLogger(__name__)


def launch(
    program: Callable[[Any, Path], Any],
    root: type,
    *,
    conf: Path,
    examples: tuple[str, ...],
    flags: Mapping[str, str] | None = None,
    interrupted: Callable[[Any, Path], Path | None] | None = None,
) -> None:
    """Run `program(config, folder)` for `sys.argv`: once, or with -m once per trial.

    Everything that can be known to be wrong is said before the program starts, and ends with exit code 2.

    Args:
        program: receives the typed root config and the directory of the run; its name is that of its root yaml in `conf`.
        root: dataclass of the root config.
        conf: folder of the yaml files.
        examples: command lines for --help.
        flags: {another spelling of an override: the override}.
        interrupted: finds the run that `resume=auto` means, given a config and the folder of its runs; None: the program resumes nothing.
    """
    name = program.__name__
    shortcuts = flags or {}
    sys.argv[1:] = [shortcuts.get(argument, argument) for argument in sys.argv[1:]]
    arguments = _parsed(name)
    conf = (arguments.config_path or conf).resolve()
    if arguments.help:
        print(help_text(name, about=program.__doc__ or "", conf=conf, examples=examples))
        return
    if arguments.of_run is not None:
        config, run = received(arguments.of_run)
        with outlived(), plain_errors():
            _run(program, root, config, run, {})
        return
    with plain_errors():
        earlier = None if interrupted is None else resumed(arguments.overrides)
        if earlier is not None and arguments.multirun:
            raise ConfigError(Fault("many runs cannot go on with one", "command line, -m", "leave out -m; a sweep goes on by itself"))
        texts = arguments.overrides if earlier is None else earlier.overrides
        overrides = checked(conf, name, texts, root, multirun=arguments.multirun)
        if interrupted is not None and not arguments.multirun:
            overrides = found(conf, name, overrides, root, interrupted)
        require_one_directory(overrides, multirun=arguments.multirun)
    hydras = ["--multirun"] * arguments.multirun + ["--resolve"] * arguments.resolve
    hydras += [f"--cfg={arguments.cfg}"] * bool(arguments.cfg) + [f"--package={arguments.package}"] * bool(arguments.package)
    sys.argv[1:] = [*hydras, *overrides]

    def job(config: DictConfig) -> Any:
        logging.captureWarnings(True)
        with plain_errors():
            if faults := list(text_faults(OmegaConf.to_container(config, resolve=False), {})):  # a sweep combines what was checked alone
                raise ConfigError(*faults)
            plain = OmegaConf.to_container(config, resolve=True) if earlier is None else earlier.config
            run = Path(HydraConfig.get().runtime.output_dir)
            origin = {} if earlier is None else {EVERYTHING: str(earlier.run / CONFIG)}
            with handed_on(plain, run):
                return _run(program, root, plain, run, origin)

    hydra.main(version_base="1.3", config_path=str(conf), config_name=name)(job)()


def _run(program: Callable[[Any, Path], Any], root: type, config: dict[str, Any], run: Path, origin: Mapping[str, str]) -> Any:
    """The program with a resolved config; `origin` is that of `check_config`."""
    check_config(config, root, origin=origin)
    try:
        return program(typed(config, root), run)
    except Exception:
        if logging.root.handlers:  # a program without a log file has none, and its error is printed below
            log.exception("ended early")
        raise


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


def _parsed(name: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"{name}.py",
        usage=f"python {name}.py [group=choice ...] [key=value ...] [-m] [--cfg job] [--help]",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    parser.add_argument("-p", "--package")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument(FLAG, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("-cp", "--config-path", type=Path)
    parser.add_argument("overrides", nargs="*")
    return parser.parse_intermixed_args()
