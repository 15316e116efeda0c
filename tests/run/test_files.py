import pytest

from recsys.errors import ConfigError, IntegrityError
from recsys.run.files import RunFiles


def test_a_run_is_told_by_its_files(retrieval, ranking):
    assert (RunFiles.open(retrieval("a")).task, RunFiles.open(ranking("b")).task) == ("retrieval", "ranking")
    run = RunFiles.open(retrieval("c"))
    assert (run.model, run.metrics["test/recall@20"], run.data["name"]) == ("two_tower", 0.5, "shop")
    assert len(run.logged) == 102


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no run here: it has no config\.yaml"):
        RunFiles.open(tmp_path)


def test_a_run_that_did_not_finish_is_refused(retrieval):
    run = retrieval("a")
    (run / "metrics.json").unlink()
    with pytest.raises(ConfigError, match=r"did not finish: it has no metrics\.json"):
        RunFiles.open(run)


@pytest.mark.parametrize(("task", "name"), [("retrieval", "per_user.parquet"), ("ranking", "predictions.parquet")])
def test_a_run_of_an_older_version_is_one_error_that_names_every_missing_file(request, task, name):
    run = request.getfixturevalue(task)("a")
    for missing in ("cost.json", "examples.json", name):
        (run / missing).unlink()
    with pytest.raises(
        ConfigError, match=rf"1 problem:\n.*older version.*it has no examples\.json, cost\.json, {name}\n(.|\n)*train again"
    ):
        RunFiles.open(run)


@pytest.mark.parametrize("name", ["metrics.json", "data.json", "metrics.jsonl", "per_user.parquet", "config.yaml"])
def test_a_damaged_file_is_named(retrieval, name):
    run = retrieval("a")
    (run / name).write_bytes(b"\x00[broken")
    with pytest.raises(IntegrityError, match=name):
        everything(run)


def everything(path):
    run = RunFiles.open(path)
    return run.data, run.logged, run.table("per_user.parquet")
