"""report.html of a run."""

from pathlib import Path

from recsys.disk import write_whole
from recsys.report.content import report_of
from recsys.report.html import page

REPORT = "report.html"
"""File of the run directory."""


def write_page(run: Path) -> Path:
    """Make the page from the files of a finished run; gives its path. See `report_of` for what it refuses."""
    write_whole(run / REPORT, page(report_of(run)))
    return run / REPORT
