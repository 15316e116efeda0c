"""What targets share: their options, configs of the program, and the table they print."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

import recsys
from recsys.config import TrainConfig
from recsys.machine import CPUINFO, cores, cpu_facts, cpu_name

CONF = Path(__file__).parent.parent / "conf"


def options(target: str, about: str) -> argparse.ArgumentParser:
    """A parser for the options of one target.

    Args:
        about: docstring of its module.
    """
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks {target}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def composed(*overrides: str) -> TrainConfig:
    """The config that `python train.py <overrides>` would run with."""
    return recsys.compose(*overrides, conf=CONF)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table, with the processor in its title; the first column names, the others hold figures.

    Args:
        notes: sentences below it, such as the goal.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(f"{title}, on {processor()}", style="bold")
    console.print(table)
    for note in notes:
        console.print(note, style="dim")
    console.print()
    sys.stdout.flush()


def processor() -> str:
    """Processor that the figures were taken on, and its cores that this process may use."""
    return f"{cpu_name(cpu_facts(CPUINFO))}, {cores()} cores"
