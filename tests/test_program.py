"""The door for Python: the same configs, checks and run directories as the command line, in one process."""

import json
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import VersionBase
from sklearn.metrics import roc_auc_score

import recsys
from recsys.config import ExportConfig, TrainConfig
from recsys.disk.locks import is_locked
from recsys.errors import ConfigError, DataError
from recsys.run.resume import LOCK
from recsys.serve.ranker import Ranker

HOME = Path(__file__).parent.parent
MINE = """
defaults: [tables]
name: mine
root: .
user: user
item: item
time: time
time_unit: rank
source: {interactions: events.csv}
"""
TINY = (
    "data=mine",
    "trainer.max_epochs=1",
    "model.dim=4",
    "model.embedding_dim=4",
    "task.evaluation.intervals=0",
    "loader.batch_size=8",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a table of 12 users, and conf/data/mine.yaml that names it."""
    home = tmp_path_factory.mktemp("home")
    rows = [{"user": f"u{user}", "item": f"i{user * time % 7}", "time": time} for user in range(12) for time in range(1, 7)]
    pl.DataFrame(rows).unique(["user", "item"], maintain_order=True).write_csv(home / "events.csv")
    (home / "conf" / "data").mkdir(parents=True)
    (home / "conf" / "data" / "mine.yaml").write_text(MINE)
    return home


@pytest.fixture(autouse=True)
def here(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


@pytest.fixture(scope="module")
def run(home):
    """A run that was trained by the door, without a name of its own."""
    before = Path.cwd()
    os.chdir(home)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    level, argv = logging.root.level, list(sys.argv)
    try:
        run = recsys.train(recsys.compose(*TINY))
    finally:
        os.chdir(before)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert (logging.root.level, sys.argv) == (level, argv)
    assert not any(isinstance(handler, logging.FileHandler) and str(run) in handler.baseFilename for handler in logging.root.handlers)
    return run


def test_config_is_that_of_the_command_line():
    config = recsys.compose("task=ranking", "data=mine", "model.dropout=0.25")
    assert isinstance(config, TrainConfig)
    assert (config.data.name, config.model["dropout"]) == ("mine", 0.25)
    assert isinstance(recsys.compose("run=out", program="export"), ExportConfig)


def test_hydra_keeps_nothing_of_it(home):
    before = VersionBase.instance().version_base, HydraConfig.instance().cfg
    recsys.compose("data=mine")
    with pytest.raises(ConfigError):
        recsys.compose("data=yours")
    recsys.compose("data=mine")
    assert not GlobalHydra.instance().is_initialized()
    assert (VersionBase.instance().version_base, HydraConfig.instance().cfg) == before


def test_own_conf_comes_first_and_a_folder_that_is_given_stands_alone(home, tmp_path):
    assert recsys.compose("data=mine").loss == recsys.compose().loss  # of the program's own conf
    (tmp_path / "train.yaml").write_text((HOME / "conf" / "train.yaml").read_text())
    with pytest.raises(ConfigError, match="Could not find 'task/retrieval'"):
        recsys.compose(conf=tmp_path)


def test_every_fault_comes_at_once_in_the_words_of_the_command_line(forked, home):
    texts = ["data=mine", "model.dmi=8", "trainer.max_epochs=many", "loss=sotfmax"]
    with pytest.raises(ConfigError) as caught:
        recsys.compose(*texts)
    assert len(caught.value.faults) == 3
    done = forked("train.py", *texts, cwd=home)
    assert done.returncode == 2
    assert done.stderr == f"Config error: {caught.value}\n"


@pytest.mark.parametrize("text", ["hydra.run.dir=x", "+hydra.verbose=true", "hydra/launcher=joblib"])
def test_keys_of_hydra_are_those_of_the_command_line(text):
    with pytest.raises(ConfigError, match=r"train\(config, run=DIR\)"):
        recsys.compose(text)


def test_run_is_named_and_filled_as_by_the_command_line(forked, home, run):
    assert re.fullmatch(r"outputs/retrieval/mine/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", str(run.relative_to(home)))
    done = forked("train.py", *TINY, cwd=home)
    assert done.returncode == 0, done.stderr
    other = Path(done.stdout.splitlines()[-1].removeprefix("run: "))
    assert other.parent == run.parent
    assert {path.name for path in other.iterdir()} == {path.name for path in run.iterdir()}
    for name in ("config.yaml", "metrics.json"):
        assert (other / name).read_text() == (run / name).read_text()
    assert re.findall(r"\[recsys\.\w+", (other / "train.log").read_text()) == re.findall(r"\[recsys\.\w+", (run / "train.log").read_text())


def test_weights_tested_again_give_the_same_metrics(run):
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    metrics = {key: value for key, value in json.loads((run / "metrics.json").read_text()).items() if key.startswith("test/")}
    assert recsys.evaluate(run) == metrics
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_run_is_refused_where_another_stands_and_goes_on_where_it_is_asked_to(run, capsys):
    with pytest.raises(ConfigError, match="the directory holds a run already"):
        recsys.train(recsys.compose(*TINY), run)
    assert recsys.train(recsys.compose(*TINY, "resume=auto"), run) == run
    assert recsys.train(recsys.compose(f"resume={run}")) == run
    assert capsys.readouterr().out.splitlines() == ["nothing is left to do", f"run: {run}"] * 2


def content(folder):
    """{file: bytes} of a run, without what every start adds to."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name not in ("train.log", "lineage.json")}


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("optimizer.dense.lr=-1", "lr. takes a number of at least 0"),
        ("trainer.limit_val_batches=0", "limit_val_batches"),
        ("model.user.dropout=2", "dropout"),
    ],
)
def test_a_finished_run_that_may_not_go_on_like_this_stays_as_it_is(run, tmp_path, key, word):
    copy = tmp_path / "run"
    shutil.copytree(run, copy, symlinks=True)
    before = content(copy)
    with pytest.raises(ConfigError, match=rf"(?i){word}"):
        recsys.train(recsys.compose(f"resume={copy}", key, f"allow_change=[{key.partition('.')[0]}]"))
    assert content(copy) == before
    assert recsys.evaluate(copy).keys() == recsys.evaluate(run).keys()


def test_a_finished_run_with_another_evaluation_is_tested_again(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy, symlinks=True)
    recsys.train(recsys.compose(f"resume={copy}", "task.evaluation.ks=[7,20]", "allow_change=[task]"))
    assert "test/recall@7" in json.loads((copy / "metrics.json").read_text())
    assert yaml.safe_load((copy / "config.yaml").read_text())["task"]["evaluation"]["ks"] == [7, 20]


def test_configs_of_the_other_program_are_refused(run):
    export = recsys.compose(f"run={run}", program="export")
    with pytest.raises(ConfigError, match="this is ExportConfig"):
        recsys.train(export)
    with pytest.raises(ConfigError, match="this is TrainConfig"):
        recsys.export_run(recsys.compose(*TINY))


def test_lists_of_no_length_are_not_compared(run):
    for k in (0, -5):
        with pytest.raises(ConfigError, match=f"at least 1, got {k}"):
            recsys.export_run(recsys.compose(f"run={run}", f"k={k}", program="export"))
    assert not (run / "bundle").exists()


def test_arguments_of_compose_are_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no program 'exprt'"):
        recsys.compose(program="exprt")
    with pytest.raises(ConfigError, match=r"there is no such folder[\s\S]*nowhere"):
        recsys.compose(conf=tmp_path / "nowhere")


def test_development_run_says_that_it_leaves_no_metrics(tmp_path, capsys):
    run = recsys.train(recsys.compose(*TINY, "+trainer.fast_dev_run=true"), tmp_path / "run")
    assert "trainer.fast_dev_run went through: it leaves no weights and no metrics" in capsys.readouterr().out
    assert not {"metrics.json", "tested.json"} & {path.name for path in run.iterdir()}


def test_part_of_a_test_is_said_and_not_marked_as_tested(tmp_path, capsys):
    few = ["+trainer.limit_test_batches=1", "loader.eval_batch_size=5", "task.evaluation.exclude_known=false"]
    run = recsys.train(recsys.compose(*TINY, *few), tmp_path / "run")
    printed = capsys.readouterr().out
    assert "ranked for 5 users" in printed
    assert "trainer.limit_test_batches=1: these are figures of a part of the test" in " ".join(printed.split())
    assert not (run / "tested.json").exists()
    with pytest.raises(ConfigError, match=r"it has no tested\.json"):
        recsys.evaluate(run)


def test_users_who_only_repeat_are_told_apart_from_users_who_do_nothing(tmp_path):
    rows = [(f"u{user}", f"i{(user + time) % 2}", time) for user in range(12) for time in range(8)]
    pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").write_csv(tmp_path / "events.csv")
    repeats = [f"data.root={tmp_path}", "data.split._target_=recsys.data.split.LeaveOneOut"]
    with pytest.raises(DataError, match=r"12 of 12 items of its users are among those that they had before(.|\n)*exclude_known=false"):
        recsys.train(recsys.compose(*TINY, *repeats), tmp_path / "run")
    assert recsys.train(recsys.compose(*TINY, *repeats, "task.evaluation.exclude_known=false"), tmp_path / "again")


def test_raw_milliseconds_are_served_as_they_were_trained(tmp_path):
    luck = random.Random(0)
    rows = []
    for row in range(900):
        hour = luck.randrange(24)
        moment = datetime(2024, 1, 1, hour, tzinfo=UTC) + timedelta(days=row // 15)
        rows.append((row % 9, row % 7, int(moment.timestamp() * 1_000), int(luck.random() < (0.9 if 8 <= hour < 20 else 0.1))))
    events = pl.DataFrame(rows, schema=["user", "item", "time", "click"], orient="row")
    events.write_parquet(tmp_path / "events.parquet")
    kinds = (("Categorical", "user", "user"), ("Categorical", "item", "item"), ("Timestamp", "time", "context"))
    features = [f"{{_target_: recsys.schema.{kind}, column: {column}, entity: {entity}}}" for kind, column, entity in kinds]
    settings = [
        "task=ranking",
        "data=mine",
        "data.name=ms",
        f"data.root={tmp_path}",
        "data.source.interactions=events.parquet",
        "data.time_unit=ms",
        f"data.features=[{', '.join(features)}]",
        "data.labels=[{_target_: recsys.schema.Label, column: click}]",
        "data.split={_target_: recsys.data.split.Temporal, val_days: 8, test_days: 20}",
        "trainer.max_epochs=4",
        "loader.batch_size=32",
        "task.evaluation.intervals=0",
    ]
    run = recsys.train(recsys.compose(*settings), tmp_path / "run")
    bundle = recsys.export_run(recsys.compose(f"run={run}", program="export"))
    auc = json.loads((run / "metrics.json").read_text())["test/click/auc"]
    test = events.filter(pl.col("time") > pl.col("time").max() - 20 * 86_400_000)
    served = np.array(Ranker(bundle).predict({column: test[column].to_list() for column in ("user", "item", "time")})["click"])
    assert auc > 0.8
    assert roc_auc_score(test["click"], served) == pytest.approx(auc, abs=1e-6)
    day, night = (served[test["time"].to_numpy() // 3_600_000 % 24 == hour].mean() for hour in (12, 2))
    assert day > night + 0.3


def test_an_error_is_raised_and_leaves_no_lock(tmp_path):
    config = recsys.compose(*TINY, "trainer.limit_val_batches=0")
    with pytest.raises(ConfigError, match=r"trainer\.limit_val_batches") as caught:
        recsys.train(config, tmp_path / "run")
    assert "ended early" in (tmp_path / "run" / "train.log").read_text()
    assert not is_locked(tmp_path / "run" / LOCK), caught  # whose traceback lives on, as in a notebook


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("loss=esmm", "loss"),
        ("monitor=val/recal@20", "monitor"),
        ("callbacks.early_stopping.monitor=val/click/auc", "callbacks.early_stopping.monitor"),
        ("task.evaluation.slice_ks=[30]", "task.evaluation.slice_ks"),
    ],
)
def test_what_cannot_work_is_refused_before_data_are_read(tmp_path, override, key):
    config = recsys.compose(f"data.source.folder={tmp_path}/shop", f"data.store={tmp_path}/store", override)
    with pytest.raises(ConfigError) as refused:
        recsys.train(config, tmp_path / "run")
    assert [fault.where for fault in refused.value.faults] == [key]
    assert not (tmp_path / "shop").exists()
    assert not (tmp_path / "store").exists()


def test_a_worker_that_is_no_main_thread_trains_too(tmp_path):
    runs = []
    thread = threading.Thread(target=lambda: runs.append(recsys.train(recsys.compose(*TINY), tmp_path / "run")))
    thread.start()
    thread.join()
    assert runs == [tmp_path / "run"]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["trainer"]["max_epochs"] == 1


def test_processes_that_were_started_together_have_to_be_given_a_directory(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes"):
        recsys.train(recsys.compose(*TINY))


@pytest.mark.slow
def test_a_script_starts_several_processes(tmp_path):
    script = "import sys, recsys; print(recsys.train(recsys.compose(*sys.argv[2:]), sys.argv[1]))"
    texts = [str(tmp_path / "run"), *TINY, "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    done = subprocess.run([sys.executable, "-c", script, *texts], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "run")


def test_importing_it_imports_nothing_heavy():
    script = "import sys, recsys; dir(recsys); print([name for name in ('torch', 'polars', 'hydra', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_there():
    assert set(recsys.__all__) == set(dir(recsys))
    for name in recsys.__all__:
        assert getattr(recsys, name).__doc__
    with pytest.raises(AttributeError, match="'trian'"):
        _ = recsys.trian
