"""The rules of the house: one word names a component in conf, recsys and tests, and imports go one way."""

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml

from recsys.config import ExportConfig, TrainConfig, signature
from recsys.config.compose import checked
from recsys.config.target import locate
from recsys.errors import ConfigError

HOME = Path(__file__).parent.parent
CONF = HOME / "conf"
MIRRORED = ("tower", "model", "candidates", "loss", "balance", "calibration", "task", "baseline", "quantize", "index")
OPEN = ["data.name=x", "data.user=u", "data.item=i", "data.time=t", "data.source.interactions=x.parquet"]
"""What conf/data/tables.yaml leaves to its reader."""
BASES = {"Tower", "Candidates", "RetrievalLoss", "RankingLoss", "Balance", "Calibration", "LightningModule"}
BASES |= {"Baseline", "ImpressionBaseline", "Source", "Quantization", "SearchIndex"}
"""Names of the classes whose subclasses are components."""
EXPORTED = ("quantize", "index")
"""Groups that export.py reads; train.py reads the others."""
RANKERS = {f"model/{path.stem}" for path in (CONF / "model").glob("*.yaml") if path.stem != "two_tower"}
YAMLS = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("*.yaml"))
MODULES = sorted((HOME / "recsys").rglob("*.py"))

IMPORTS = {
    "errors": set(),
    "schema": {"errors"},
    "config": {"record", "schema", "errors"},
    "batch": {"schema", "errors"},
    "source": {"data", "batch", "schema", "errors"},
    "data": {"source", "batch", "disk", "baseline", "metric", "schema", "errors"},
    "nn": {"schema", "errors"},
    "tower": {"nn", "schema", "errors"},
    "model": {"tower", "nn", "schema", "errors"},
    "candidates": {"seeds", "errors"},
    "loss": {"schema", "errors"},
    "metric": {"schema", "errors"},
    "balance": {"schema", "seeds", "errors"},
    "calibration": {"errors"},
    "optimizer": {"errors"},
    "baseline": {"metric", "errors"},
    "quantize": {"metric", "errors"},
    "memory": set(),
    "seeds": set(),
    "disk": {"errors"},
    "checkpoint": {"disk", "record", "errors"},
    "resume": {"config", "checkpoint", "disk", "lineage", "record", "errors"},
    "lineage": {"record"},
    "record": {"disk", "errors"},
    "rebuild": {
        "config",
        "data",
        "task",
        "model",
        "loss",
        "calibration",
        "callback",
        "checkpoint",
        "lineage",
        "record",
        "schema",
        "errors",
    },
    "pairing": {"rebuild", "schema", "errors"},
    "assemble": {
        "callback",
        "rebuild",
        "config",
        "model",
        "evidence",
        "data",
        "task",
        "candidates",
        "loss",
        "balance",
        "calibration",
        "report",
        "source",
        "schema",
        "errors",
    },
    "task": {"model", "candidates", "loss", "balance", "calibration", "metric", "batch", "schema", "seeds", "errors"},
    "callback": {"batch", "metric", "baseline", "checkpoint", "disk", "record", "sweep", "schema", "errors"},
    "logger": {"report", "record", "errors"},
    "report": {"metric", "record", "schema", "errors"},
    "evidence": {"data", "source", "metric", "record", "schema", "errors"},
    "export": {
        "disk",
        "schema",
        "model",
        "nn",
        "metric",
        "quantize",
        "index",
        "serve",
        "rebuild",
        "data",
        "lineage",
        "record",
        "report",
        "errors",
    },
    "index": {"serve", "errors"},
    "release": {"index", "config", "rebuild", "export", "callback", "data", "model", "schema"},
    "serve": set(),
    "sweep": {"config", "record", "report", "schema", "errors"},
}
"""What each room may import beside itself."""
PURE_TORCH = {"candidates", "loss", "nn", "tower", "model", "optimizer"}
PLUGINS = {"sweep/sweeper.py", "sweep/launcher.py", "sweep/plugins.py"}
"""What Hydra builds, in the words of `hydra_plugins`."""
PROGRAMS = {"schema/__main__.py", "schema/infer.py", "report/__main__.py"}
"""Command lines of their own, which see what train.py sees."""


def imported(path):
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module


def room(path):
    return path.relative_to(HOME / "recsys").with_suffix("").parts[0]


def components(group):
    """Names of the files of a group that define a component."""
    for path in sorted((HOME / "recsys" / group).glob("*.py")):
        classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        bases = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
        if path.stem != "base" and (bases & BASES or (group == "model" and classes and path.stem != "__init__")):
            yield path.stem


@pytest.mark.parametrize("group", MIRRORED)
def test_one_word_in_conf_recsys_and_tests(group):
    in_conf = {path.stem for path in (CONF / group).glob("*.yaml")}
    assert in_conf == set(components(group))
    assert {f"test_{name}.py" for name in in_conf} <= {path.name for path in (HOME / "tests" / group).glob("test_*.py")}


@pytest.mark.parametrize("name", [name for name in YAMLS if name.split("/")[0] in MIRRORED])
def test_yaml_names_the_file_of_its_name(name):
    target = re.search(r"_target_: (\S+)", (CONF / f"{name}.yaml").read_text())[1]
    assert target.rpartition(".")[0] == f"recsys.{name.replace('/', '.')}"


def test_every_source_has_its_test():
    assert {f"test_{name}.py" for name in components("source")} <= {path.name for path in (HOME / "tests" / "source").glob("test_*.py")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_imports_go_one_way(path):
    if path.relative_to(HOME / "recsys").as_posix() in PROGRAMS:
        return
    names = set(imported(path))
    ours = {name.split(".")[1] for name in names if name.startswith("recsys.")}
    assert ours <= IMPORTS.get(room(path), set()) | {room(path)}
    others = {name.split(".")[0] for name in names} - {"recsys"}
    assert not others & {"train", "export"}
    if room(path) != "config" and path.relative_to(HOME / "recsys").as_posix() not in PLUGINS:
        assert not others & {"hydra", "omegaconf"}
    if room(path) in PURE_TORCH:
        assert not others & {"pytorch_lightning", "polars", "pandas", "wandb"}
    if room(path) == "serve":
        assert not others & {"torch", "polars", "pytorch_lightning"}


def test_no_drawer_for_everything():
    drawers = {"util", "utils", "helper", "helpers", "common", "core", "misc", "registry"}
    assert not [path for path in MODULES if drawers & {path.stem, *path.parts}]
    assert not list((HOME / "tests").rglob("__init__.py"))


def test_components_name_all_their_arguments():
    targets = {target for name in YAMLS for target in re.findall(r"_target_: (recsys\.[\w.]+)", (CONF / f"{name}.yaml").read_text())}
    assert len(targets) > 20
    for target in targets:
        kinds = {parameter.kind for parameter in signature(locate(target)).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, f"{target} takes **kwargs: a mistyped key would vanish in them"


def faults(name, overrides):
    multirun = "-m" in overrides
    overrides = [override for override in overrides if override not in ("-m", "--dry-run")] + (OPEN if "data=tables" in overrides else [])
    try:
        checked(CONF, name, overrides, {"train": TrainConfig, "export": ExportConfig}[name], multirun=multirun)
    except ConfigError as error:
        return list(error.faults)
    return []


def choice(name):
    """The overrides that choose a file of conf."""
    group, _, chosen = name.rpartition("/")
    if group in ("", "baseline", "index", "hydra/sweeper") or (group == "callbacks" and chosen != "default"):
        return []  # part of every run, of an export, or of a sweep: its header shows the command
    of_ranking = group in ("balance", "calibration") or name in RANKERS
    task = ["task=ranking"] if of_ranking else []
    many = ["-m"] if group == "sweep" else []
    return [*many, *task, f"{'tower@model.user' if group == 'tower' else group}={chosen}"]


@pytest.mark.parametrize("name", [name for name in YAMLS if name != "export"])
def test_yaml_composes_and_passes_the_check(name):
    exported = name.split("/")[0] in EXPORTED
    assert faults("export" if exported else "train", [*choice(name), "run=folder" if exported else "data.root=folder"]) == []


@pytest.mark.parametrize("name", YAMLS)
def test_header_says_what_for_and_a_command_that_works(name):
    header = [line for line in (CONF / f"{name}.yaml").read_text().splitlines() if line.startswith("# ") and "@package" not in line]
    command = re.search(r"python (train|export)\.py([^(]*)", header[0])
    assert command, "the header ends with the command that uses the file"
    overrides = [re.sub("<.*?>", "x", text) for text in shlex.split(command[2]) if text != "..."]
    assert faults(command[1], overrides) == []


@pytest.mark.parametrize("program", ["train", "export"])
def test_examples_of_help_work(program):
    tree = ast.parse((HOME / f"{program}.py").read_text())
    (examples,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "EXAMPLES"]
    for example in ast.literal_eval(examples):
        overrides = [re.sub("<.*?>", "x", text) for text in shlex.split(example.partition("  ")[0])[2:]]
        multirun = "-m" in overrides
        checked(
            CONF,
            program,
            [text for text in overrides if text not in ("-m", "--dry-run")],
            {"train": TrainConfig, "export": ExportConfig}[program],
            multirun=multirun,
        )


def test_yamls_are_plain_mappings():
    for name in YAMLS:
        assert isinstance(yaml.safe_load((CONF / f"{name}.yaml").read_text()), dict), name
