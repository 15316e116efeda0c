"""python -m recsys.report RUN: makes report.html of a finished run again, from the files of its directory."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recsys.config.launch import plain_errors
from recsys.report.page import write_page


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m recsys.report", description=__doc__.partition(": ")[2])
    parser.add_argument("run", type=Path, help="directory of a finished run")
    options = parser.parse_args(arguments)
    with plain_errors():
        print(f"report: {write_page(options.run)}")


if __name__ == "__main__":
    main(sys.argv[1:])
