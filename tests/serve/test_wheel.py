"""The wheel, installed beside numpy and onnxruntime and nothing else."""

import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from recsys.export.sbom import installed

HOME = Path(__file__).parents[2]
SOURCES = ("recsys", "conf", "pyproject.toml", "README.md", "LICENSE")
CODE = """
import sys
from importlib.metadata import distributions
from pathlib import Path

import recsys
from recsys.serve import Ranker, Recommender, Retriever

bundle, items = {bundle!r}, {{"item_id": ["a", "b", "c"], "price": [1, 5, 3]}}
print(Retriever(bundle).recommend([{{"history": ["c"]}}], k=1)[0].items)
print([round(value, 3) for value in Ranker(bundle).predict([{{"price": 2}}])["click"]])
print(Recommender(bundle, items).recommend([{{"history": ["b"]}}], k=2)[0].items)
home = Path(recsys.__file__).parent
print((home / "py.typed").is_file(), (home / "conf/train.yaml").is_file(), (home / "conf/loss/softmax.yaml").is_file())
print(home.is_relative_to(sys.prefix), "torch" in sys.modules)
print(*sorted(found.name for found in distributions()))
"""


def sources(folder):
    """Copy what a wheel is made of: a build leaves files beside its sources."""
    for name in SOURCES:
        if (HOME / name).is_dir():
            shutil.copytree(HOME / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(HOME / name, folder / name)


def link(packages, site):
    """Show installed packages, and no others, to an environment."""
    for name in packages:
        here = distribution(name)
        for top in {file.parts[0] for file in here.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(here.locate_file(top))


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of an environment that holds the wheel, numpy, onnxruntime and what these need."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "sources").mkdir()
    sources(folder / "sources")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    offline = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", folder, folder / "sources"], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env/bin/python"
    subprocess.run([*pip, "--python", python, "install", *offline, *folder.glob("*.whl")], check=True, capture_output=True)
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    link(installed("numpy") | installed("onnxruntime"), site)
    return python


def test_wheel_answers_requests_with_numpy_and_onnxruntime_alone(python, bundle, tmp_path):
    done = subprocess.run([python, "-I", "-c", CODE.format(bundle=str(bundle))], capture_output=True, text=True, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[:5] == ["['c']", "[0.2]", "['c', 'a']", "True True True", "True False"], done.stderr
    packages = set(lines[5].split())
    assert {"recsys", "numpy", "onnxruntime"} <= packages
    assert not packages & {"torch", "polars", "pyarrow", "hydra-core", "rich", "onnx", "scipy"}
