"""A third task trains, is tested and reported, resumed and refused, although no file outside its own folder and yaml knows of it."""

import json
import shutil
from pathlib import Path

import pytest

import recsys.task
from recsys import compose, evaluate, export_run, train
from recsys.errors import ConfigError
from recsys.report.compare import compare

THIRD = Path(__file__).parent / "third"
SHOP = ("data.source.num_users=200", "data.source.num_items=300", "data.source.num_impressions=9000", "data.max_unknown_share=1")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working directory whose conf has the task's yaml; its folder is a part of recsys.task as if it stood there."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(THIRD / "conf", home / "conf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.task, "__path__", [*recsys.task.__path__, str(THIRD)])
        patch.chdir(home)
        yield home


@pytest.fixture(scope="module")
def config(home):
    return compose("task=clickrate", *SHOP, f"data.source.folder={home}/shop", f"data.store={home}/store", "trainer.max_epochs=2")


@pytest.fixture(scope="module")
def run(config, home):
    return train(config, home / "run")


def test_it_is_trained_and_tested(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) == {"val/squared_error", "test/squared_error"}
    assert evaluate(run) == {"test/squared_error": metrics["test/squared_error"]}


def test_its_report_says_what_its_folder_says(run):
    page = (run / "report.html").read_text()
    assert "Click rates of items" in page
    assert "says nothing of who looks at it" in page
    assert "Clickrate on shop" in page
    assert "Click rates of items" in (run / "train.log").read_text()


def test_its_keys_are_its_own():
    with pytest.raises(ConfigError, match="nothing is called 'candidates' in 'task', ClickRate"):
        compose("task=clickrate", "+task.candidates=1")


def test_its_runs_are_compared_by_its_own_rules(run, config, home):
    other = train(config, home / "other")
    with pytest.raises(ConfigError, match="squared_error"):
        compare([run, other])


def test_without_an_export_of_its_own_it_is_not_exported(run):
    with pytest.raises(ConfigError, match=r"'clickrate' has no export\.py"):
        export_run(compose(f"run={run}", program="export"))


def test_its_run_retrieves_nothing_for_a_ranker(run, home):
    config = compose("task=ranking", *SHOP, f"data.source.folder={home}/shop", f"data.store={home}/store", f"task.retriever={run}")
    with pytest.raises(ConfigError, match="of the task clickrate, which retrieves nothing"):
        train(config, home / "ranked")


def test_the_house_does_not_know_it():
    folder = Path(recsys.task.__file__).parents[1]
    assert not [path for path in folder.rglob("*.py") if "clickrate" in path.read_text().lower()]
