"""Pages are true: every command, path, link and example in them is tried, as far as that takes no training."""

import argparse
import ast
import importlib
import inspect
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

import recsys
from recsys.config import ExportConfig, TrainConfig
from recsys.config.compose import checked_command
from recsys.config.nodes import signature
from recsys.config.target import locate
from recsys.sweep.sweeper import trial_faults

HOME = Path(__file__).parent.parent
PAGES = [HOME / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((HOME / "docs").glob("*.md"))
READER = {"data=mine": "data=shop", "experiment=best": "experiment=yelp2018", "loss=mine": "loss=bpr"}
"""Choices whose files the reader writes first, and others in their place."""
EXTRAS = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TREES = ("recsys", "conf", "notebooks", "benchmarks", "docs", "tests", ".github")


def fenced(page):
    """(language, text) of each block between fences."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.M | re.S)


def inline(page):
    """Texts between single backticks, outside blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S))


def lines(page):
    """Command lines of a page: indented ones and those between backticks, without what is said beside them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for line in [*re.findall(r"^    (\S.*)$", text, flags=re.M), *inline(page)]:
        for command in re.split(r"\s+#\s|\s&&\s", line):
            if re.match(r"(\S+/)?(python|make|pip|torchrun|cp)\s", command):
                yield command.strip()


COMMANDS = sorted({command for page in PAGES if page.name != "CHANGELOG.md" for command in lines(page)})


def words(command):
    """The words of a command; `<folder>` stands for any name, `...` for more of the like."""
    return [re.sub("<.*?>", "x", word) for word in shlex.split(command) if word != "..."]


def check_program(program, overrides):
    multirun = "-m" in overrides
    texts = [READER.get(text, text) for text in overrides if text not in ("-m", "--dry-run", "--help")]
    root, sweeps = {"train": (TrainConfig, trial_faults), "export": (ExportConfig, None)}[program]
    checked_command((HOME / "conf",), program, texts, root, multirun=multirun, sweeps=sweeps)


class Parsed(Exception):
    """A command line was parsed."""


def check_module(name, arguments, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parsed(self, texts=None, namespace=None):
        parse(self, texts, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    module = importlib.import_module(name if (HOME / f"{name.replace('.', '/')}.py").exists() else f"{name}.__main__")
    try:
        code = module.main(arguments)
    except Parsed:
        return
    assert code != 2, "wrong arguments"  # of a command line without argparse


def check_pip(arguments):
    for word in arguments:
        if chosen := re.fullmatch(r"\.\[(.*)\]", word):
            assert set(chosen[1].split(",")) <= EXTRAS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_one_that_works(command, monkeypatch):
    first, *rest = words(command)
    match Path(first).name, rest:
        case "python", [("train.py" | "export.py") as program, *overrides]:
            check_program(Path(program).stem, overrides)
        case "torchrun", ["train.py", *overrides]:
            check_program("train", overrides)
        case "python", ["-m", "pytest", *_]:
            pass
        case "python", ["-m", module, *arguments]:
            check_module(module, arguments, monkeypatch)
        case "python", [script, *_]:
            assert (HOME / script).is_file()
        case "make", [target, *_]:
            assert re.search(rf"^{target}:", (HOME / "Makefile").read_text(), flags=re.M)
        case "pip", ["install", *arguments]:
            check_pip(arguments)
        case "cp", _:
            pass
        case _:
            pytest.fail(f"nobody knows how to try {command}")


def test_pages_have_commands_of_every_kind():
    commands = "\n".join(COMMANDS)
    for part in (
        "train.py",
        "export.py",
        "recsys.infer",
        "recsys.report",
        "recsys.serve",
        "benchmarks",
        "make train",
        "make test",
        "pip install",
    ):
        assert part in commands


def overrides_between_backticks():
    """Texts such as `experiment=census` or `task=ranking task.retriever=<run>`."""
    for text in {text for page in PAGES for text in inline(page)} - {"errors=[]"}:
        parts = words(text) if "=" in text and text.count("'") % 2 == 0 else []
        if parts and all(re.fullmatch(r"[a-z][\w@./]*=\S+", part) for part in parts):
            yield tuple(parts)


@pytest.mark.parametrize("overrides", sorted(overrides_between_backticks()), ids=" ".join)
def test_overrides_between_backticks_compose(overrides):
    ranking = ["task=ranking"] if "balance=pcgrad" in overrides else []
    check_program("train", [*ranking, *overrides])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_of_the_project_are_there(page):
    for text in inline(page):
        if text.split("/")[0] in TREES and "/" in text and not re.search(r"[<*{\s]|mine|best|\.\.\.", text):
            assert (HOME / text).exists() or (HOME / f"{text}.py").exists(), text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    missing = [link for link in links if not re.match("https?://", link) and not (page.parent / link.partition("#")[0]).exists()]
    assert not missing


def test_every_page_can_be_reached_from_the_readme():
    linked = {(HOME / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", (HOME / "README.md").read_text())}
    assert {page.resolve() for page in PAGES if page.name != "README.md"} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_use_what_is_public(page):
    for language, text in fenced(page):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                assert all(hasattr(importlib.import_module(node.module), name.name) for name in node.names)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "recsys":
                assert node.attr in recsys.__all__
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "compose":
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                if len(texts) == len(node.args):
                    recsys.compose(*texts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_examples_name_keys_that_are_there(page):
    for language, text in fenced(page):
        if language != "yaml":
            continue
        document = yaml.safe_load(text)
        for label in document.get("labels", ()):
            inspect.Signature.bind(signature(locate(label.pop("_target_"))), **label)
        sweeper = yaml.safe_load((HOME / "conf/hydra/sweeper/optuna.yaml").read_text())
        assert document.get("hydra", {}).get("sweeper", {}).keys() <= sweeper.keys()


def test_readme_is_short_and_its_commands_are_what_the_workflow_runs():
    text = (HOME / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    workflow = yaml.safe_load((HOME / ".github/workflows/ci.yml").read_text())
    steps = {step.get("run") for job in workflow["jobs"].values() for step in job["steps"]}
    assert {"make train", "make test", "make lint"} <= steps
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert re.search("^    make train .*\n    make test ", text, flags=re.M)
