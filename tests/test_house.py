"""The rules of the house: one word names a component in conf, recsys and tests, and imports go one way."""

import ast
import functools
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recsys.config import ExportConfig, TrainConfig
from recsys.config.compose import checked_command
from recsys.config.nodes import signature
from recsys.config.target import locate
from recsys.errors import ConfigError
from recsys.schema.kind import KINDS
from recsys.sweep.sweeper import trial_faults

HOME = Path(__file__).parent.parent
CONF = HOME / "conf"
THIRD_TASK = HOME / "tests" / "task" / "third"
"""A task that tests add to recsys.task: a room of its own, with a yaml of its own."""
ROOTS = {"train": TrainConfig, "export": ExportConfig}
MIRRORED = ("tower", "model", "candidates", "loss", "balance", "calibration", "task", "baseline", "quantize", "index")
OPEN = ["data.name=x", "data.user=u", "data.item=i", "data.time=t", "data.source.interactions=x.parquet"]
"""What conf/data/tables.yaml leaves to its reader."""
BASES = {"Tower", "Candidates", "RetrievalLoss", "RankingLoss", "Balance", "Calibration", "LightningModule"}
BASES |= {"Baseline", "ImpressionBaseline", "Source", "Quantization", "SearchIndex"}
"""Names of the classes whose subclasses are components."""
EXPORTED = ("quantize", "index")
"""Groups that export.py reads, which stand in the room of exports; train.py reads the others."""
RANKERS = {f"model/{path.stem}" for path in (CONF / "model").glob("*.yaml") if path.stem != "two_tower"}
YAMLS = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.rglob("*.yaml"))
MODULES = sorted((HOME / "recsys").rglob("*.py"))

FLOORS = (
    {"errors", "ranges", "seeds", "machine"},
    {"disk"},
    {"schema"},
    {"batch", "metric", "nn"},
    {"tower", "model", "candidates", "loss", "balance", "calibration", "optimizer", "baseline"},
    {"config", "source", "data"},
    {"infer", "run"},
    {"task"},
    {"report", "logger"},
    {"export"},
    {"sweep"},
)
"""Rooms from the ground up: a file imports from its own floor and from those below, never from above."""
FACETS = {"report": "report", "export": "export"}
"""Files of a task's folder that stand on a higher floor: what reports and exports ask of it."""
TASK_WORDS = re.compile(r"\b(retrieval|ranking)\b|retriever\.onnx|ranker\.onnx")
TASK_DOORS = {"train.py", "export.py"} | {f"recsys/serve/{name}.py" for name in ("retriever", "ranker", "search", "replay", "__main__")}
"""Files outside of recsys/task that name a task or its graph: examples of the programs, and the doors of serving."""
PURE_TORCH = {"candidates", "loss", "nn", "tower", "model", "optimizer"}
SEE_HYDRA = {"config", "sweep"}
LEARNING = PURE_TORCH | {"balance", "calibration", "baseline"}
COMPLETED = {"RankingInput", "SequenceTower"}
"""Partials inside a node of a config: their keyword-only arguments are those that the program adds, all others are a yaml file's."""


@functools.cache
def parsed(path):
    """Syntax tree of a file."""
    return ast.parse(path.read_text())


def imported(path):
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module


def floor(name):
    """The floor that a module such as recsys.task.retrieval.report stands on; the package itself is the roof."""
    parts = name.split(".")[1:] or ["roof"]
    room = FACETS.get(parts[2], "task") if parts[0] == "task" and len(parts) > 2 else parts[0]
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def room(path):
    return path.relative_to(HOME / "recsys").with_suffix("").parts[0]


def room_of(name):
    return name.split(".")[1]


def folder(group):
    """Where the files of a group stand, under recsys and under tests."""
    return f"export/{group}" if group in EXPORTED else group


def components(group):
    """Names of the files of a group, or of its folders, that define a component."""
    if group == "task":
        yield from sorted(path.parent.name for path in (HOME / "recsys" / "task").glob("*/__init__.py"))
    for path in sorted((HOME / "recsys" / folder(group)).glob("*.py")):
        classes = [node for node in parsed(path).body if isinstance(node, ast.ClassDef)]
        bases = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
        if path.stem != "base" and (bases & BASES or (group == "model" and classes and path.stem != "__init__")):
            yield path.stem


@pytest.mark.parametrize("group", MIRRORED)
def test_one_word_in_conf_recsys_and_tests(group):
    in_conf = {path.stem for path in (CONF / group).glob("*.yaml")}
    assert in_conf == set(components(group))
    tested = {path.stem.removeprefix("test_") for path in (HOME / "tests" / folder(group)).iterdir()}
    assert in_conf <= tested


@pytest.mark.parametrize("name", [name for name in YAMLS if name.split("/")[0] in MIRRORED])
def test_yaml_names_the_file_of_its_name(name):
    target = re.search(r"_target_: (\S+)", (CONF / f"{name}.yaml").read_text())[1]
    group, _, stem = name.partition("/")
    assert target.rpartition(".")[0] == f"recsys.{folder(group)}/{stem}".replace("/", ".")


def test_every_source_has_its_test():
    assert {f"test_{name}.py" for name in components("source")} <= {path.name for path in (HOME / "tests" / "source").glob("test_*.py")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_imports_go_one_way(path):
    names = set(imported(path))
    own = ".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__")
    ours = {name for name in names if name.split(".")[0] == "recsys"}
    if room(path) == "serve":
        assert {name.split(".")[1] for name in ours} <= {"serve"}
    else:
        above = {name for name in ours if floor(name) > floor(own) and room_of(name) != "serve"}
        assert not above, f"{own} imports from above"
    others = {name.split(".")[0] for name in names} - {"recsys"}
    assert not others & {"train", "export"}
    if room(path) not in SEE_HYDRA:
        assert not others & {"hydra", "omegaconf"}
    if room(path) in PURE_TORCH:
        assert not others & {"pytorch_lightning", "polars", "pandas", "wandb"}
    if room(path) == "serve":
        assert not others & {"torch", "polars", "pytorch_lightning"}


def test_constructors_take_two_positional_arguments_at_most():
    for path in MODULES:
        for node in ast.walk(parsed(path)) if room(path) in LEARNING else ():
            if isinstance(node, ast.ClassDef) and node.name not in COMPLETED:
                arguments = [entry.args for entry in node.body if isinstance(entry, ast.FunctionDef) and entry.name == "__init__"]
                assert all(len(entry.args) <= 3 for entry in arguments), f"{node.name} of {path.name}"  # self, and two


def words(path):
    """Strings of a file that are no docstrings, and the tasks' modules that it imports."""
    tree = parsed(path)
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    docstrings = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    yield from (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    )
    yield from (name for name in imported(path) if name.startswith("recsys.task."))


def test_doors_alone_name_a_task():
    files = [path for path in (*MODULES, HOME / "train.py", HOME / "export.py") if HOME / "recsys" / "task" not in path.parents]
    named = {path.relative_to(HOME).as_posix() for path in files if any(TASK_WORDS.search(text) for text in words(path))}
    assert named == TASK_DOORS
    assert len(TASK_DOORS) <= 8


def test_folders_of_tests_are_rooms():
    folders = {path.parent.relative_to(HOME / "tests") for path in (HOME / "tests").rglob("*.py") if THIRD_TASK not in path.parents} - {
        Path()
    }
    without_room = [
        folder for folder in folders if not (HOME / "recsys" / folder).exists() and not (HOME / "recsys" / f"{folder}.py").exists()
    ]
    assert not without_room
    assert not [folder for folder in folders if not list((HOME / "tests" / folder).rglob("test_*.py"))], "fixtures that no test reads"


def test_no_drawer_for_everything():
    drawers = {"util", "utils", "helper", "helpers", "common", "core", "misc", "registry"}
    assert not [path for path in MODULES if drawers & {path.stem, *path.parts}]
    assert not [path for path in (HOME / "tests").rglob("__init__.py") if THIRD_TASK not in path.parents]


def test_components_name_all_their_arguments():
    targets = {target for name in YAMLS for target in re.findall(r"_target_: (recsys\.[\w.]+)", (CONF / f"{name}.yaml").read_text())}
    assert len(targets) > 20
    for target in targets:
        kinds = {parameter.kind for parameter in signature(locate(target)).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, f"{target} takes **kwargs: a mistyped key would vanish in them"


@functools.cache
def faults(name, *overrides):
    """Faults of a command line, composed once however many tests ask for it."""
    multirun = "-m" in overrides
    texts = [text for text in overrides if text not in ("-m", "--dry-run")] + (OPEN if "data=tables" in overrides else [])
    try:
        checked_command((CONF,), name, texts, ROOTS[name], multirun=multirun, sweeps=trial_faults)
    except ConfigError as error:
        return list(error.faults)
    return []


def command_line(text):
    """The overrides of a command as people read it: `<folder>` stands for any name, `...` for more of the like."""
    return [re.sub("<.*?>", "x", part) for part in shlex.split(text) if part != "..."]


@functools.cache
def header(name):
    """Program and overrides of the command in a yaml file's first line; None without one."""
    lines = [line for line in (CONF / f"{name}.yaml").read_text().splitlines() if line.startswith("# ") and "@package" not in line]
    command = re.search(r"python (train|export)\.py([^(]*)", lines[0])
    return command and (command[1], *command_line(command[2]))


def choice(name):
    """The overrides that choose a file of conf."""
    group, _, chosen = name.rpartition("/")
    if group in ("", "baseline", "index", "hydra/sweeper") or (group == "callbacks" and chosen != "default"):
        return []  # part of every run, of an export, or of a sweep: its header shows the command
    of_ranking = group in ("balance", "calibration") or name in RANKERS
    task = ["task=ranking"] if of_ranking else []
    many = ["-m"] if group == "sweep" else []
    return [*many, *task, f"{'tower@model.user' if group == 'tower' else group}={chosen}"]


def examples(program):
    """Command lines that --help shows, without their explanations."""
    tree = ast.parse((HOME / f"{program}.py").read_text())
    (node,) = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "EXAMPLES"]
    return [example.partition("  ")[0].partition(".py")[2].strip() for example in ast.literal_eval(node)]


@pytest.mark.parametrize("name", YAMLS)
def test_header_says_what_for_and_a_command_that_works(name):
    assert header(name), "the header ends with the command that uses the file"
    assert faults(*header(name)) == []


@pytest.mark.parametrize("name", [name for name in YAMLS if not set(choice(name)) <= set(header(name) or ())])
def test_yaml_that_its_header_does_not_choose_composes_and_passes_the_check(name):
    exported = name.split("/")[0] in EXPORTED
    assert faults("export" if exported else "train", *choice(name), "run=folder" if exported else "data.root=folder") == []


@pytest.mark.parametrize(("program", "example"), [(program, example) for program in ("train", "export") for example in examples(program)])
def test_example_of_help_works(program, example):
    assert faults(program, *command_line(example)) == []


def test_yamls_are_plain_mappings():
    for name in YAMLS:
        assert isinstance(yaml.safe_load((CONF / f"{name}.yaml").read_text()), dict), name


KIND_NAMES = set(KINDS)
KIND_DOORS = {"nn/encoder.py", "export/preprocessing.py", "serve/fields.py"}
"""What builds a network, a graph or a request from a kind of feature; everything else asks the kind."""


def names_kind(node):
    """Whether an expression holds the name of a kind: as a class, or as a string."""
    for part in ast.walk(node):
        foreign = isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "pl"
        name = part.attr if isinstance(part, ast.Attribute) and not foreign else getattr(part, "id", getattr(part, "value", None))
        if isinstance(part, ast.Name | ast.Attribute | ast.Constant) and not foreign and isinstance(name, str) and name in KIND_NAMES:
            return True
    return False


def branches_on_kind(tree):
    """Whether a file asks of which kind a feature is: isinstance, type(...) is, match, singledispatch, or a kind's name compared."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            asked = node.args[1:]
        elif isinstance(node, ast.MatchClass):
            asked = [node.cls]
        elif isinstance(node, ast.MatchValue):
            asked = [node.value]
        elif isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.FunctionDef) and any("register" in ast.unparse(decorator) for decorator in node.decorator_list):
            asked = [*node.decorator_list, *(argument.annotation for argument in node.args.args if argument.annotation)]
        else:
            continue
        if any(names_kind(expression) for expression in asked):
            return True
    return False


@pytest.mark.parametrize(
    ("code", "branches"),
    [
        ("isinstance(feature, Categorical | History)", True),
        ("isinstance(feature, schema.Vector)", True),
        ("type(feature) is Numeric", True),
        ("match feature:\n case Timestamp(): pass", True),
        ("match name:\n case 'History': pass", True),
        ("feature['kind'] == 'Vector'", True),
        ("@read.register\ndef _(feature: Numeric | Timestamp): pass", True),
        ("@read.register(Numeric)\ndef _(feature): pass", True),
        ("dtype in (pl.String, pl.Categorical)", False),
        ("feature = Categorical('x', 'user')", False),
        ("feature.is_category == True", False),
    ],
)
def test_a_branch_on_a_kind_is_seen(code, branches):
    assert branches_on_kind(ast.parse(code)) == branches


def test_only_doors_branch_on_a_feature_kind():
    kinds = HOME / "recsys" / "schema" / "kind"
    branching = {path for path in MODULES if kinds not in path.parents and branches_on_kind(parsed(path))}
    assert {path.relative_to(HOME / "recsys").as_posix() for path in branching} == KIND_DOORS


def test_training_imports_no_onnx():
    """Neither train.py nor any room that stands below exports."""
    below = floor("recsys.export")
    names = [".".join(path.relative_to(HOME).with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
    rooms = [name for name in names if floor(name) < below and not name.startswith("recsys.serve") and "__main__" not in name]
    script = f"import importlib, sys, train\nfor name in {rooms}: importlib.import_module(name)\n"
    script += "print(sorted({name.split('.')[0] for name in sys.modules} & {'onnx', 'onnxruntime', 'onnxscript'}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOME, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HOME)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


DURABLE = {"fsync", "replace", "rename", "renames", "symlink", "link"}
"""Functions of `os` that make something appear, or last."""
RENAMERS = {"serve/__main__.py", "export/narrow.py"}
"""Files that rename by `Path` outside of disk: serving may not import it, and an export moves graphs inside a folder not yet published."""
OF_A_RUN = ("train.log", "tested.json", "data.json", "examples.json", "cost.json", "lineage.json", "metrics.jsonl", "checkpoint.json")
OF_A_RUN += ("per_user.parquet", "item_vectors.parquet", "predictions.parquet", "calibration.json", "reliability.json", "report.html")


def owners(has):
    """Files of recsys with a node of which `has` is true."""
    return {path.relative_to(HOME / "recsys").as_posix() for path in MODULES if any(has(node) for node in ast.walk(parsed(path)))}


def test_one_module_locks():
    assert owners(lambda node: isinstance(node, ast.Import) and any(name.name == "fcntl" for name in node.names)) == {"disk/locks.py"}


def test_one_room_syncs_and_renames_and_one_module_publishes_folders():
    def of_os(node):
        return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in DURABLE

    def of_path(node):
        is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        # a text's replace takes two arguments, a path's rename and replace take one
        return is_method and node.func.attr in ("rename", "replace") and len(node.args) == 1 and not node.keywords

    assert owners(of_os) == {"disk/__init__.py", "disk/folders.py"}
    assert owners(of_path) == RENAMERS
    assert owners(lambda node: isinstance(node, ast.Attribute) and node.attr == "symlink_to") == {"disk/folders.py"}


def test_one_module_names_the_files_of_a_run():
    for name in OF_A_RUN:
        assert owners(lambda node, name=name: isinstance(node, ast.Constant) and node.value == name) == {"run/directory.py"}, name
