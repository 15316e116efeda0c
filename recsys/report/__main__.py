"""The command line of reports: `python -m recsys.report RUN` makes report.html of a finished run again, `compare RUN RUN` holds runs
against the first of them, and `send RUN` sends to Weights & Biases what it missed.

All three read only the files of run directories.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from recsys.config.launch import plain_errors
from recsys.disk import write_whole, writing
from recsys.errors import ConfigError, Fault
from recsys.logger.wandb import send_run
from recsys.report.compare import compare
from recsys.report.comparison import comparison_report, comparison_table, document
from recsys.report.html import page
from recsys.report.run import write_page

PAGE, DOCUMENT = "compare.html", "compare.json"
USAGE = "python -m recsys.report RUN\n       python -m recsys.report compare RUN RUN [RUN ...] [--out DIR] [--json]"
USAGE += "\n       python -m recsys.report send RUN [--project NAME]"


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    with plain_errors():
        if arguments[:1] == ["compare"]:
            _compare(arguments[1:])
        elif arguments[:1] == ["send"]:
            _send(arguments[1:])
        else:
            parser = argparse.ArgumentParser(usage=USAGE, description=__doc__)
            parser.add_argument("run", type=Path, help="directory of a finished run")
            print(f"report: {write_page(parser.parse_args(arguments).run)}")


def _compare(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(usage=USAGE, description="Hold finished runs against the first, on what all of them were tested on.")
    parser.add_argument("runs", type=Path, nargs="+", help="directories of two or more runs; the first is what the others are held against")
    parser.add_argument("--out", type=Path, help=f"folder for {PAGE} and {DOCUMENT}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if len(options.runs) < 2:
        parser.error("name two runs or more")
    if options.out is not None:
        there = next(path for path in (options.out.absolute(), *options.out.absolute().parents) if path.exists())
        if not there.is_dir():
            raise ConfigError(Fault(f"{there} is no folder", f"--out {options.out}", "name a folder, there or not"))
    comparison = compare(options.runs)
    content = json.dumps(document(comparison), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if options.json:
        print(content, end="")
    else:
        Console().print(comparison_table(comparison))
    if options.out is not None:
        with writing(options.out):
            options.out.mkdir(parents=True, exist_ok=True)
        write_whole(options.out / DOCUMENT, content)
        write_whole(options.out / PAGE, page(comparison_report(comparison)))
        print(f"comparison: {options.out / PAGE}", file=sys.stderr if options.json else sys.stdout)


def _send(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(usage=USAGE, description="Send to Weights & Biases what it does not have of a run.")
    parser.add_argument("run", type=Path, help="directory of a run, finished or not")
    parser.add_argument("--project", help="where to send a run that was trained without logger=wandb")
    options = parser.parse_args(arguments)
    print(f"sent: {send_run(options.run, options.project)}")


if __name__ == "__main__":
    main(sys.argv[1:])
