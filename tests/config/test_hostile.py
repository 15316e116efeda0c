"""Configs that were written to do harm: each is refused with its key, and nothing that it names is run, read or imported.

An audit hook sees every process, unpickling and connection of the test process; the file `canary` appears if a payload ran.
"""

import copy
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from benchmarks.base import composed
from benchmarks.memory import forget_peak, memory
from recsys.config import TrainConfig, save_config
from recsys.config.check import check_config
from recsys.config.compose import checked_command
from recsys.config.files import saved_config
from recsys.errors import ConfigError

HOME = Path(__file__).parent.parent.parent
EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "pickle.find_class", "socket.connect", "urllib.Request")
seen: list[str] = []
sys.addaudithook(lambda event, _: seen.append(event) if event in EVENTS else None)

TARGETS = [line for line in (Path(__file__).parent / "hostile_targets.txt").read_text().splitlines() if line and line[0] != "#"]
SPELLINGS = [
    *(
        "ｏｓ.ｓｙｓｔｅｍ",
        "оs.system",
        "os．system",
        "os\u200b.system",
        "os.system\u0000",
        "os.system ",
        " os.system",
        "\tos.system",
        "os.system\n",
    ),
    *(".os.system", "..os.system", "os..system", "os.system.", "os:system", "os/system", "os.system()", "os.system#", "file:///os.system"),
    *("recsys.schema.Сategorical", "recsys.schema .Categorical", "recsys .schema.Categorical", "recsys.schema.Categorical\u200b"),
    *("ｒｅｃｓｙｓ.schema.Categorical", "recsys.ſchema.Categorical", "RECSYS.schema.Categorical", "recsys.schema.../os.system"),
    *("recsys.schema.Categorical;os.system", "recsys:schema.Categorical", "recsys.config.build\r", "torch.optim.AdamW.\u202eos"),
    *("", " ", ".", "..", "recsys", "recsys.", "torch.optim", "torch.optim.", "None", "null", "lambda: 0", "__main__", "${oc.env:HOME}"),
]
"""Homoglyphs, invisible characters, spaces and dots."""
WRITERS = [
    "recsys.run.checkpoint.write_checkpoint",
    "recsys.disk.folders.point",
    "recsys.config.save_config",
    "recsys.config.build",
    "recsys.config.launch.launch",
    "recsys.config.target.locate",
    "recsys.export.publish.publishing",
    "recsys.export.publish.write_manifest",
    "recsys.disk.folders.build_once",
    "recsys.report.run.publish_result",
    "recsys.run.process.keep_memory",
    "recsys.serve.manifest.read_bundle",
    "recsys.source.shop_tables.shop_tables",
    "recsys.config.compose.checked_command",
    "recsys.task.base.component",
    "recsys.data.store.prepare.store_of",
    "recsys.optimizer.schedule.cosine",
    "recsys.run.metrics_log.MetricsLog",
    "recsys.data.store.Store",
    "recsys.run.directory.RunDirectory",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.LambdaCallback",
    "pytorch_lightning.loggers.CSVLogger",
    "torch.optim.LBFGS",
]
"""What a config may name somewhere, or what our own modules define, but never at these places."""
PLACES = (
    "loss",
    "data.source",
    "model.user",
    "data.features.0",
    "data.split",
    "trainer.plugins",
    "trainer.plugins.0",
    "trainer.strategy",
    "trainer.profiler",
    "callbacks.evil",
    "task.evaluation.baselines.evil",
    "logger.evil",
    "optimizer.dense",
    "data.name",
    "data.root",
    "monitor",
    "seed",
    "checkpoint",
    "task.retriever",
    "task.teacher",
    "task.balance",
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The config of `python train.py`, as its run saves it."""
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    save_config(composed(), path)
    config = saved_config(path)
    config["data"]["features"] = config["data"]["features"][:1]  # fewer to check, three hundred times
    return config


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """Never created; nothing of EVENTS happens either."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil_module.py").write_text("open('canary', 'w').close()\ndef system(*a, **k): open('canary', 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen.clear()
    path = tmp_path / "canary"
    yield path
    assert seen == []
    assert not path.exists()
    assert "evil_module" not in sys.modules


def planted(plain, place, node):
    """The config with a node at a place; entries of lists are replaced, other keys added where they are missing."""
    config = copy.deepcopy(plain)
    *parents, last = place.split(".")
    inner = config
    for part in parents:
        if isinstance(inner, list):
            inner = inner[int(part)]
        else:
            inner = inner.setdefault(part, {}) if inner.get(part) is not None else inner.__setitem__(part, [None]) or inner[part]
    inner[int(last) if isinstance(inner, list) else last] = node
    return config


def nodes(canary):
    """(place, node): every target at one place, with what it would need to do harm."""
    command = f"touch {canary}"
    bad = [*TARGETS, *SPELLINGS, "evil_module.system", "evil_module"]
    for number, target in enumerate([*bad, *WRITERS]):
        arguments = ({"command": command}, {"args": ["sh", "-c", command]}, {"source": f"open({str(canary)!r}, 'w')"})[number % 3]
        yield PLACES[number % len(PLACES)], {"_target_": target, **({"_partial_": True} if number % 2 else {}), **arguments}
    for place in PLACES:
        yield place, {"_target_": "evil_module.system"}
        yield place, {"_target_": "os.system", "_args_": [command], "_convert_": "all", "_recursive_": True}
    for target in WRITERS:
        yield "trainer.strategy", {"_target_": target, "_partial_": True}
        yield "trainer.num_nodes", {"_target_": target}
        yield "data.root", {"_target_": target}


def test_hostile_nodes_are_refused_with_their_key(plain, canary):
    cases, passed = list(nodes(canary)), []
    assert len(cases) >= 200
    for place, node in cases:
        try:
            check_config(planted(plain, place, node), TrainConfig, origin={})
            passed.append((place, node))
        except ConfigError as error:
            if not any(f"'{place}" in f"{fault.what} {fault.where}" for fault in error.faults):
                passed.append((place, node, str(error)))
    assert passed == []


EVIL = {"_target_": "os.system", "command": "touch canary"}
NESTED = {
    "in_a_list": ("data.features.0", [[EVIL]]),
    "in_a_partial": ("model.user", {"_target_": "recsys.tower.mlp.MLPTower", "_partial_": True, "hidden": [EVIL], "dropout": EVIL}),
    "in_an_argument_of_kwargs": ("logger.evil", {"_target_": "pytorch_lightning.loggers.WandbLogger", "_partial_": True, "anything": EVIL}),
    "in_a_list_of_kwargs": ("logger.evil", {"_target_": "pytorch_lightning.loggers.WandbLogger", "_partial_": True, "tags": [{"a": EVIL}]}),
    "in_an_open_mapping": ("data.source", {"_target_": "recsys.source.tables.TableFiles", "interactions": {"train": EVIL}, "root": "x"}),
    "in_a_mapping_without_target": ("task.evaluation.baselines", {"a": {"b": {"c": EVIL}}}),
    "as_a_callable": (
        "callbacks.evil",
        {"_target_": "pytorch_lightning.callbacks.LambdaCallback", "on_fit_start": {**EVIL, "_partial_": True}},
    ),
    "own_function_as_a_callable": (
        "callbacks.evil",
        {
            "_target_": "pytorch_lightning.callbacks.LambdaCallback",
            "on_fit_start": {"_target_": "recsys.disk.folders.point", "_partial_": True, "link": "a", "target": "b"},
        },
    ),
    "own_function_for_a_source": ("data.source", {"_target_": "recsys.disk.folders.point", "link": "a", "target": "b"}),
    "own_function_for_a_path": ("data.root", {"_target_": "recsys.run.checkpoint.write_checkpoint", "folder": "a"}),
    "own_function_in_kwargs": (
        "logger.evil",
        {"_target_": "pytorch_lightning.loggers.WandbLogger", "_partial_": True, "x": {"_target_": "recsys.run.process.keep_memory"}},
    ),
    "in_the_name_of_a_target": ("loss", {"_target_": EVIL}),
    "in_a_list_of_targets": ("loss", {"_target_": ["os.system"]}),
    "as_a_number": ("loss", {"_target_": 5}),
    "in_partial": ("loss", {"_target_": "recsys.loss.bpr.BPR", "_partial_": EVIL}),
    "with_keys_that_are_no_text": ("loss", {1: EVIL, None: 2}),
}


@pytest.mark.parametrize(("place", "node"), NESTED.values(), ids=NESTED)
def test_hostile_node_inside_another_is_refused_with_its_key(plain, canary, place, node):
    with pytest.raises(ConfigError, match=f"'{place}"):
        check_config(planted(plain, place, node), TrainConfig, origin={})


SECRET = "hunter22-canary-secret"
SECONDS = 10
"""CPU seconds that a refusal may take; 1 is usual, and a bomb that goes off takes minutes."""
OVERRIDES = """
data.name=${oc.env:SECRET} | data.name
data.name=${oc.${monitor}:SECRET} monitor=env | data.name
data.name=${${monitor}:SECRET} monitor=oc.env | data.name
data.name=${oc.decode:${oc.env:SECRET}} | data.name
data.name=${oc.select:SECRET} | data.name
data.name=${oc.create:{a:1}} | data.name
data.name=${hydra:runtime.cwd} | data.name
data.name=${now:%Y} | data.name
data.name=${evil:touch} | data.name
data.name="${oc.env:SECRET}" | data.name
data.name="a${ oc.env : SECRET }b" | data.name
data=${oc.env:SECRET} | data
+experiment=${oc.env:SECRET} | experiment
+x=${oc.env:SECRET} | x
data.name=${monitor} monitor=${data.name} | monitor
data.name=${data.name} | data.name
data.features.0=${data.features} | data.features.0
data.features.0=${data} | data
hydra.run.dir=${oc.env:SECRET} | hydra.run.dir
hydra.run.dir=${oc.${data.name}:SECRET} | hydra.run.dir
hydra.sweep.dir=${oc.env:SECRET} | hydra.sweep.dir
hydra.sweep.subdir=../../elsewhere | hydra.sweep.subdir
hydra.output_subdir=../elsewhere | hydra.output_subdir
hydra.output_subdir=/tmp/elsewhere | hydra.output_subdir
hydra.output_subdir=${oc.env:SECRET} | hydra.output_subdir
hydra.job.name=../../x | hydra.job.name
hydra.job.name=${oc.env:SECRET} | hydra.job.name
hydra.job.env_set.PYTHONPATH=/tmp | hydra.job.env_set
+hydra.job.env_set.LD_PRELOAD=x.so | hydra.job.env_set
hydra.job.env_copy=[SECRET] | hydra.job.env_copy
hydra.searchpath=[pkg://evil_module] | hydra.searchpath
++hydra.searchpath=[file:///tmp] | hydra.searchpath
hydra.mode=MULTIRUN | hydra.mode
hydra.launcher._target_=os.system | hydra.launcher._target_
hydra.launcher._target_=recsys.run.checkpoint.os.system | hydra.launcher._target_
hydra.launcher._target_=evil_module.system | hydra.launcher._target_
hydra.launcher._target_=hydra_plugins.evil_module.system | hydra.launcher._target_
hydra.sweeper._target_=subprocess.Popen | hydra.sweeper._target_
hydra.sweeper._target_=hydra._internal.core_plugins.basic_sweeper.itertools.chain | hydra.sweeper._target_
+hydra.sweeper.sampler._target_=os.system | hydra.sweeper.sampler
+hydra.callbacks.evil._target_=evil_module.system | hydra.callbacks
+hydra.callbacks.evil._target_=hydra.experimental.callbacks.LogJobReturnCallback | hydra.callbacks
hydra.job_logging.handlers.file.class=logging.os.system | hydra.job_logging.handlers.file.class
hydra.job_logging.handlers.file.class=evil_module.system | hydra.job_logging.handlers.file.class
hydra.job_logging.handlers.file.class=logging.handlers.HTTPHandler | hydra.job_logging.handlers.file.class
hydra.job_logging.handlers.file.class=logging.handlers.QueueHandler | hydra.job_logging.handlers.file.class
+hydra.job_logging.handlers.file.stream=ext://os.environ | hydra.job_logging.handlers.file.stream
+hydra.job_logging.handlers.file.stream=ext://evil_module.system | hydra.job_logging.handlers.file.stream
hydra.job_logging.handlers.file.filename=/root/.bashrc | hydra.job_logging.handlers.file.filename
hydra.job_logging.handlers.file.filename=../../x.log | hydra.job_logging.handlers.file.filename
+hydra.job_logging.filters.evil.class=subprocess.Popen | hydra.job_logging.filters.evil.class
+hydra.hydra_logging.handlers.evil.class=recsys.run.process.os.system | hydra.hydra_logging.handlers.evil.class
data.name=__import__('os').system('touch${IFS}canary') | data.name
data.name=!!python/object/apply:os.system | data.name
_target_=os.system | _target_
+_target_=os.system | _target_
+defaults=[evil] | defaults
+_partial_=true | _partial_
_self_=1 | _self_
data@hydra.launcher=shop | hydra
data/../../evil=x | data/../../evil
data=../../../../tmp/evil | data
data=/etc/passwd | data
data=pkg://evil_module | data
"""


CONF = """
defaults:
  - _self_
  - data: shop
  - experiment: null
monitor: val/recall@20
seed: 0
hydra:
  run: {dir: "outputs/${data.name}/${now:%Y}"}
  job_logging: {handlers: {file: {filename: "${hydra.runtime.output_dir}/train.log"}}}
"""


@dataclass(frozen=True)
class Data:
    name: str
    features: list[str]


@dataclass(frozen=True)
class Root:
    data: Data
    monitor: str
    seed: int


@pytest.fixture
def conf(tmp_path):
    """A small conf that composes."""
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "experiment").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text(CONF)
    (tmp_path / "conf" / "data" / "shop.yaml").write_text("name: shop\nfeatures: [user, item]\n")
    assert len(checked_command((tmp_path / "conf",), "train", ["seed=1", "data.name=${monitor}"], Root, multirun=False).overrides) == 2
    return tmp_path / "conf"


def overrides():
    for line in OVERRIDES.strip().splitlines():
        texts, _, key = line.rpartition(" | ")
        yield pytest.param(texts.split(" "), key, id=texts)


@pytest.mark.parametrize(("texts", "key"), [*overrides()])
def test_hostile_override_is_refused_with_its_key(conf, canary, monkeypatch, texts, key):
    monkeypatch.setenv("SECRET", SECRET)
    with pytest.raises(ConfigError) as caught:
        checked_command((conf,), "train", texts, Root, multirun=False)
    assert key in str(caught.value)
    assert SECRET not in str(caught.value)


def laughs(number):
    """Ten of the next line in each."""
    lines = [f"a{at}: " + f"${{a{at + 1}}}" * 10 for at in range(number)]
    return "\n".join([*lines, f"a{number}: ha"])


FILES = {
    "alias_bomb": "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)),
    "interpolation_bomb": laughs(20),
    "interpolated_lists": "a0: [x, x]\n" + "".join(f"a{n}: ['${{a{n - 1}}}', '${{a{n - 1}}}', '${{a{n - 1}}}']\n" for n in range(1, 40)),
    "interpolation_cycle": "a: ${b}\nb: ${c}\nc: ${a}\n",
    "chain": "\n".join(f"a{n}: ${{a{n + 1}}}" for n in range(3_000)),
    "large": "a: " + "x" * 10_000_000,
    "large_list": "a: [" + "1," * 5_000_000 + "1]",
    "deep": "a: " + "[" * 100_000 + "]" * 100_000,
    "deep_mappings": "\n".join(" " * n + "a:" for n in range(1_000)),
    "tag_apply": "a: !!python/object/apply:os.system ['touch canary']",
    "tag_name": "a: !!python/name:os.system",
    "tag_module": "a: !!python/module:evil_module",
    "tag_new": "a: !!python/object/new:evil_module.system [x]",
    "tag_own": "a: !evil [x]",
    "environment": "a: ${oc.env:SECRET}",
    "environment_behind_a_sign": 'a: "#${oc.env:SECRET}"',
    "environment_escaped": 'a: "\\x24{oc.env:SECRET}"',
    "environment_put_together": "monitor: env\na: ${oc.${monitor}:SECRET}",
    "searchpath": "hydra: {searchpath: ['pkg://evil_module']}",
    "searchpath_escaped": 'hydra: {"search\\x70ath": ["pkg://evil_module"]}',
    "log_factory": "hydra: {job_logging: {handlers: {file: {(): logging.os.system, command: touch canary}}}}",
    "log_factory_of_ours": "hydra: {job_logging: {formatters: {simple: {(): recsys.run.process.os.system, command: touch canary}}}}",
    "log_listener": "hydra: {job_logging: {handlers: {file: {class: logging.handlers.QueueHandler, queue: evil_module.system}}}}",
    "callbacks": "hydra: {callbacks: {evil: {_target_: evil_module.system}}}",
    "no_text": b"a: \xff\xfe",
    "control_characters": b"a: \x00\x01",
    "unfinished": "a: [1, 2",
    "twice": "seed: 1\nseed: 2",
    "number_of_many_digits": "seed: " + "9" * 10_000,
    "no_mapping": "- 1\n- 2",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_hostile_file_of_conf_is_refused_in_time_and_memory(conf, canary, monkeypatch, content):
    monkeypatch.setenv("SECRET", SECRET)
    head = b"# @package _global_\n"
    (conf / "experiment" / "evil.yaml").write_bytes(head + (content if isinstance(content, bytes) else content.encode()))
    forget_peak()
    before, started = memory("VmRSS"), time.process_time()
    with pytest.raises(ConfigError) as caught:
        checked_command((conf,), "train", ["experiment=evil"], Root, multirun=False)
    assert time.process_time() - started < SECONDS
    assert memory("VmHWM") - before < 200e6
    assert SECRET not in str(caught.value)
    assert all(fault.where for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("texts", "multirun"),
    [
        (["seed=" + "[" * 2_000 + "]" * 2_000], False),
        (["data.features=[" + "1," * 60_000 + "1]"], False),
        (["data.name=" + "x" * 200_000], False),
        (["seed=range(0,1000000000)"], True),
        (["seed=shuffle(range(0,1000000000))"], True),
        (["seed=range(0,1,1e-12)"], True),
    ],
)
def test_override_without_end_is_refused_in_time_and_memory(conf, texts, multirun):
    forget_peak()
    before, started = memory("VmRSS"), time.process_time()
    with pytest.raises(ConfigError) as caught:
        checked_command((conf,), "train", texts, Root, multirun=multirun)
    assert time.process_time() - started < SECONDS
    assert memory("VmHWM") - before < 200e6
    assert len(str(caught.value)) < 2_000


SAVED = {
    **{name: content for name, content in FILES.items() if "hydra:" not in str(content) and "interpolat" not in name},
    "target": "loss: {_target_: os.system, command: touch canary}",
    "class_path": "model: {class_path: evil_module.system, init_args: {}}",
    "lightning_keys": "_class_path: os.system\n_instantiator: evil_module.system",
    "dates": "seed: 2020-01-01",
    "binary": "seed: !!binary aGFsbG8=",
    "set": "data: !!set {a, b}",
    "nan": "teacher: {weight: .nan}",
    "no_seed": "seed: .inf",
    "empty": "",
    "null": "null",
    "scalar": "5",
    "keys": "{1: 2, null: 3, true: 4}",
}


@pytest.mark.parametrize("content", SAVED.values(), ids=SAVED)
def test_hostile_config_of_another_run_is_refused_in_time_and_memory(canary, monkeypatch, tmp_path, content):
    monkeypatch.setenv("SECRET", SECRET)
    content = content if isinstance(content, bytes) else content.encode()
    is_block = re.match(rb"\w+: ", content) is not None
    (tmp_path / "config.yaml").write_bytes(b"format: 3\n" + content if is_block else content)
    forget_peak()
    before, started = memory("VmRSS"), time.process_time()
    with pytest.raises(ConfigError) as caught:
        check_config(saved_config(tmp_path / "config.yaml"), TrainConfig, origin={})
    assert time.process_time() - started < SECONDS
    assert memory("VmHWM") - before < 200e6
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "arguments", "key"),
    [
        ("train", ["-m", "hydra.launcher._target_=recsys.run.checkpoint.os.system"], "hydra.launcher._target_"),
        ("train", ["hydra.job.env_copy=[SECRET]", "hydra.output_subdir=.hydra", "hydra.run.dir=out"], "hydra.job.env_copy"),
        ("export", ["run=.", "hydra.searchpath=[pkg://evil_module]"], "hydra.searchpath"),
        ("export", ["run=evil"], "evil/config.yaml"),
    ],
)
def test_command_line_ends_with_2_and_leaves_nothing(forked, tmp_path, program, arguments, key):
    (tmp_path / "evil_module.py").write_text("open('canary', 'w').close()")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "config.yaml").write_text("format: 3\nloss: {_target_: evil_module.system}\n")
    for name in ("schema.json", "lineage.json", "tested.json", "metrics.json"):  # as if it had finished
        (tmp_path / "evil" / name).write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    environment = {**os.environ, "SECRET": SECRET, "PYTHONPATH": f"{HOME}:{tmp_path}"}
    done = forked(f"{program}.py", *arguments, cwd=tmp_path, environment=environment)
    assert done.returncode == 2, done.stderr
    assert key in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "__pycache__") == before
    assert not OmegaConf.has_resolver("evil")
