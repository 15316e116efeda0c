"""What pyproject.toml promises, and what messages and pages advise to install."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

HOME = Path(__file__).parent.parent
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
PAGES = ("*.md", "*.py", "*.yaml", "*.yml", "*.ipynb", "*.toml", "Makefile")
FOLDERS = ("recsys", "conf", "docs", "notebooks", "benchmarks", "tests", ".github")


def names(requirements):
    return {Requirement(text).name for text in requirements}


def pages():
    """Every text that a user may read."""
    for pattern in PAGES:
        yield from HOME.glob(pattern)
        for folder in FOLDERS:
            yield from (path for path in (HOME / folder).rglob(pattern) if path != Path(__file__))


def test_serving_needs_numpy_and_onnxruntime_alone():
    assert names(PROJECT["dependencies"]) == {"numpy", "onnxruntime"}


def test_lightning_is_pinned_below_the_version_whose_private_parts_may_differ():
    (lightning,) = [Requirement(text) for text in PROJECT["optional-dependencies"]["train"] if "lightning" in text]
    assert "2.6.9" in lightning.specifier
    assert "2.7.0" not in lightning.specifier


def test_every_extra_is_part_of_dev():
    (own,) = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"] if text.startswith("recsys")]
    assert own.extras == PROJECT["optional-dependencies"].keys() - {"dev"}


def test_every_requirement_has_a_version_that_was_tested():
    locked = {line.partition("==")[0].lower().replace("_", "-") for line in (HOME / "constraints.txt").read_text().splitlines()}
    wanted = {*names(PROJECT["dependencies"]), *(name for extra in PROJECT["optional-dependencies"].values() for name in names(extra))}
    assert {name.lower() for name in wanted} - {"recsys"} <= locked


def test_nobody_is_told_to_install_recsys_by_name():
    """A registry may give the name to somebody else's project: `pip install .` in a checkout is what is meant."""
    advice = re.compile(r"pip install(?:\s+-\S+)*\s+['\"]?recsys\b(?!/)")
    assert advice.search("pip install -U 'recsys[index]'")
    assert not [f"{path}: {hit[0]}" for path in pages() for hit in advice.finditer(path.read_text())]


def test_license_is_apache_and_whole():
    assert PROJECT["license"] == "Apache-2.0"
    text = (HOME / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
