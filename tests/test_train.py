"""The two command lines from end to end, on a shop of 300 users."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import recsys
from recsys.errors import ConfigError, RecsysError
from recsys.export.golden import columns
from recsys.metric.impressions import impressions
from recsys.run.directory import RunDirectory
from recsys.serve import Ranker, Retriever
from recsys.task.ranking.export.questions import questions_of

ALWAYS = {"schema.json", "metrics.json", "golden.json", "golden.parquet", "card.md", "sbom.json"}
"""Files of every bundle, beside the manifest."""

HOME = Path(__file__).parent.parent
SMALL = [
    "data.source.num_users=300",
    "data.source.num_items=300",
    "data.source.num_impressions=20000",
    "trainer.max_epochs=2",
    "loader.batch_size=256",
    "model.dim=16",
    "model.embedding_dim=16",
]


RANKING = [
    "task=ranking",
    "task.retriever=out",
    *SMALL[:3],
    "trainer.max_epochs=2",
    "loader.batch_size=512",
    "model.input.embedding_dim=4",
    "model.expert_hidden=[16]",
    "model.tower_hidden=[8]",
    "task.evaluation.intervals=5",
    "task.evaluation.min_slice_rows=300",
    "task.evaluation.baselines.hist_gradient_boosting.max_iterations=5",
]
STUDENT = [text for text in RANKING if not text.startswith("model.")]
STUDENT += ["model=shared_bottom", "model.input.embedding_dim=2", "model.bottom_hidden=[8]", "model.tower_hidden=[4]"]


def program(name, *arguments, cwd):
    """A command line in a python of its own, as users start it; `forked` takes the same and is quicker to start."""
    command = [sys.executable, str(HOME / name), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def home(forked, tmp_path_factory):
    """A folder where stores and shops are kept, and the run `out` was trained."""
    home = tmp_path_factory.mktemp("home")
    done = forked("train.py", *SMALL, "hydra.run.dir=out", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"run: {home / 'out'}"
    return home


def test_run_leaves_what_it_promises(home):
    run = home / "out"
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_epochs"] == 2
    metrics = json.loads((run / "metrics.json").read_text())
    for key in ("test/recall@20", "test/recall@20/low", "baseline/popularity/test/recall@20", "oracle/test/recall@20"):
        assert 0 <= metrics[key] <= 1
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in logged if "val/recall@20" in line] == [0, 1]
    best = json.loads((run / "checkpoints" / "best" / "checkpoint.json").read_text())
    assert best["value"] == pytest.approx(max(line["val/recall@20"] for line in logged if "val/recall@20" in line))
    assert metrics["val/recall@20"] == best["value"]  # of the tested weights, not of the last ones
    lineage = json.loads((run / "lineage.json").read_text())
    assert Path(lineage["store"]).is_dir()
    committed = subprocess.run(["git", "-C", HOME, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert (lineage["git"] or {}).get("commit") == (committed.stdout.strip() or None)  # of the code, not of the folder it was called in
    assert lineage["command"].startswith("python train.py data.source.num_users=300")
    assert "By groups" in (run / "train.log").read_text()


def test_run_leaves_what_its_report_is_made_of(forked, home):
    run = home / "out"
    metrics, cost = (json.loads((run / f"{name}.json").read_text()) for name in ("metrics", "cost"))
    users = pl.read_parquet(run / "per_user.parquet")
    assert len(users) == metrics["test/users"]
    for key in ("test/recall@20", "baseline/ease/test/ndcg@20", "oracle/test/recall@20"):
        assert users[key].mean() == pytest.approx(metrics[key])
    assert min(cost["seconds"].values()) >= 0
    assert cost["rows"] == 2 * json.loads((run / "data.json").read_text())["split"]["training"]["positives"]
    before = (run / "report.html").read_bytes()
    assert b"two_tower" in before
    done = forked("-m", "recsys.report", "out", cwd=home)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").read_bytes() == before


def test_same_seed_gives_the_same_metrics(forked, home):
    assert forked("train.py", *SMALL, "hydra.run.dir=again", "loader.num_workers=2", cwd=home).returncode == 0
    assert (home / "again" / "metrics.json").read_text() == (home / "out" / "metrics.json").read_text()
    done = forked("-m", "recsys.report", "compare", "out", "again", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "again and out are equal: all " in " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def ranked(forked, home):
    """Directory of a ranking run on the same shop."""
    done = forked("train.py", *RANKING, "hydra.run.dir=ranked", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "ranked"


def test_ranking_run_leaves_what_it_promises(ranked):
    metrics = json.loads((ranked / "metrics.json").read_text())
    labels = ("click", "conversion", "click_conversion")
    for prefix in ("", "oracle/", "baseline/prior/", "baseline/logistic/", "baseline/hist_gradient_boosting/"):
        for label in labels:
            assert 0 <= metrics[f"{prefix}test/{label}/auc"] <= 1
    assert metrics["baseline/prior/test/click/auc"] == 0.5
    # this shop is too small to learn much of, but the truth is the truth
    assert metrics["oracle/test/click/auc"] > max(0.6, metrics["test/click/auc"])
    assert metrics["oracle/test/click/log_loss"] < metrics["test/click/log_loss"]
    assert metrics["test/click/auc/low"] < metrics["test/click/auc/high"]
    logged = [json.loads(line) for line in (ranked / "metrics.jsonl").read_text().splitlines()]
    losses = [line["val/log_loss"] for line in logged if "val/log_loss" in line]
    assert metrics["val/log_loss"] == min(losses)  # less is better, and the best weights are tested
    assert metrics["val/log_loss"] == pytest.approx(metrics["val/click/log_loss"] + metrics["val/conversion/log_loss"], rel=1e-6)
    assert json.loads((ranked / "calibration.json").read_text()).keys() == {"click", "conversion"}
    rows = pl.read_parquet(ranked / "predictions.parquet")
    assert len(rows) == metrics["test/click/rows"]
    assert rows["predicted/click"].mean() / rows["click"].mean() == pytest.approx(metrics["test/click/predicted_over_actual"])
    assert "Behind a retriever" in (ranked / "report.html").read_text()
    text = (ranked / "train.log").read_text()
    for label in labels:
        assert re.search(rf"^{label}: [\d,]+ impressions", text, re.MULTILINE)


def test_ranking_run_measures_what_the_retriever_found(home, ranked):
    alone, pair = (json.loads((run / "metrics.json").read_text()) for run in (home / "out", ranked))
    for metric in ("recall@20", "ndcg@20"):
        assert pair[f"pair/retriever/test/{metric}"] == pytest.approx(alone[f"test/{metric}"], rel=1e-6)
        assert pair[f"pair/test/{metric}/low"] < pair[f"pair/test/{metric}"] < pair[f"pair/test/{metric}/high"]
    assert pair["pair/test/users"] == alone["test/users"]
    others = ("pair/retriever", "pair/exposed_oracle", "pair/oracle", "pair/best")
    worth = {order: pair[f"{order}/test/true_click@20"] for order in ("pair", *others)}
    assert max(worth["pair"], worth["pair/retriever"], worth["pair/exposed_oracle"]) < worth["pair/oracle"] < worth["pair/best"] < 1
    assert "Retrieve 200, then rank: " in (ranked / "train.log").read_text()


@pytest.mark.slow
def test_same_seed_gives_the_same_ranking_metrics(forked, home, ranked):
    assert forked("train.py", *RANKING, "hydra.run.dir=ranked_again", "loader.num_workers=2", cwd=home).returncode == 0
    assert (home / "ranked_again" / "metrics.json").read_text() == (ranked / "metrics.json").read_text()


@pytest.mark.slow
def test_a_student_is_exported_without_its_teacher(forked, home, ranked):
    shutil.copytree(ranked, home / "teacher", symlinks=True)
    done = forked("train.py", *STUDENT, "task.teacher.run=teacher", "trainer.log_every_n_steps=20", "hydra.run.dir=student", cwd=home)
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line) for line in (home / "student" / "metrics.jsonl").read_text().splitlines()]
    losses = [line for line in logged if "train/click/loss" in line]
    assert len(losses) == 3  # of some 60 steps
    assert all(line["train/click/loss"] > 0.5 * line["train/click/distillation"] > 0 for line in losses)
    distillation = yaml.safe_load((home / "student" / "config.yaml").read_text())["task"]["teacher"]
    assert (distillation["run"], distillation["weight"]) == ("teacher", 0.5)
    shutil.rmtree(home / "teacher")
    done = forked("export.py", "run=student", cwd=home)
    assert done.returncode == 0, done.stderr
    assert (home / "student" / "bundle" / "ranker.onnx").exists()


def test_second_run_in_the_same_directory_is_refused(forked, home):
    before = (home / "out" / "config.yaml").read_text()
    done = forked("train.py", *SMALL, "seed=1", "hydra.run.dir=out", cwd=home)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
    assert (home / "out" / "config.yaml").read_text() == before


def refused(*texts):
    """The error of an export in this process, whose exit code the command line ends with."""
    with pytest.raises(RecsysError) as error:
        recsys.export_run(recsys.compose(*texts, program="export"))
    return error.value


def exported(run, home, start):
    """The bundle of a run."""
    done = start("export.py", f"run={run}", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"bundle: {Path(run) / 'bundle'}"
    return home / run / "bundle"


@pytest.fixture(scope="module")
def retriever(forked, home):
    return exported("out", home, forked)


@pytest.fixture(scope="module")
def ranker(forked, home, ranked):
    return exported("ranked", home, forked)


@pytest.mark.parametrize(
    ("run", "files"),
    [
        ("retriever", {"retriever.onnx", "user_tower.onnx", "item_tower.onnx", "item_embeddings.parquet"}),
        ("ranker", {"ranker.onnx", "calibration.svg"}),
    ],
)
def test_export_makes_a_bundle_of_the_run(run, files, request):
    bundle = request.getfixturevalue(run)
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert set(manifest["files"]) == files | ALWAYS
    assert json.loads((bundle / "metrics.json").read_text()) == json.loads((bundle.parent / "metrics.json").read_text())


def test_served_predictions_are_those_that_the_report_measured(ranked, ranker):
    """Each test row, asked as a server is asked, without its position: probabilities and metrics are those of the run."""
    run = RunDirectory.finished(ranked)
    rows = questions_of(run, {})
    reported = pl.read_parquet(ranked / "predictions.parquet")
    assert len(rows) == len(reported)
    schema = run.schema
    assert [feature.column for feature in schema.of("bias")] == ["position"]
    served = Ranker(ranker).predict({column: frame.to_list() for column, frame in columns(dict(rows.raw), schema).items()})
    for label in ("click", "conversion"):
        assert np.abs(np.array(served[label]) - reported[f"predicted/{label}"].to_numpy()).max() < 1e-6
    click, user = torch.from_numpy(reported["click"].to_numpy()), torch.from_numpy(reported["user_id"].to_numpy())
    values, _ = impressions(torch.tensor(served["click"], dtype=torch.float64), click, user=user, ks=[]).metrics()
    metrics = json.loads((ranked / "metrics.json").read_text())
    for name in ("auc", "log_loss", "ece", "gauc"):
        assert values[name] == pytest.approx(metrics[f"test/click/{name}"], abs=1e-6)
    assert metrics["with_bias/test/click/auc"] != metrics["test/click/auc"]
    # the truth gains by knowing the position, and loses more log loss without it
    assert metrics["with_bias/oracle/test/click/auc"] > metrics["oracle/test/click/auc"] + 0.01
    assert metrics["with_bias/oracle/test/click/log_loss"] < metrics["oracle/test/click/log_loss"]
    assert "with_bias/baseline/logistic/test/click/auc" in metrics
    assert not [key for key in metrics if key.startswith("with_bias/") and "conversion_on_all" in key]


def with_other_weights(run, copy):
    """A copy of a run whose last epoch was not its best: `last` names half of the weights of `best`."""
    shutil.copytree(run, copy, symlinks=True, ignore=shutil.ignore_patterns("bundle"))
    best, other = copy / "checkpoints" / "best", copy / "checkpoints" / "step-other"
    shutil.copytree(best, other)
    save_file({name: values / 2 for name, values in load_file(best / "model.safetensors").items()}, other / "model.safetensors")
    about = json.loads((other / "checkpoint.json").read_text()) | {"step": 1, "metrics": {"val/recall@20": 0.01}}
    about["sha256"] = hashlib.sha256((other / "model.safetensors").read_bytes()).hexdigest()
    (other / "checkpoint.json").write_text(json.dumps(about))
    (copy / "checkpoints" / "last").unlink()
    (copy / "checkpoints" / "last").symlink_to(other.name)


@pytest.mark.slow
def test_export_of_other_weights_carries_their_own_metrics(forked, home):
    with_other_weights(home / "out", home / "copied")
    done = forked("export.py", "run=copied", "checkpoint=last", cwd=home)
    assert done.returncode == 0, done.stderr
    bundle = home / "copied" / "bundle"
    assert json.loads((bundle / "metrics.json").read_text()) == {"val/recall@20": 0.01}
    assert json.loads((bundle / "manifest.json").read_text())["checkpoint"]["retrieval"]["step"] == 1


@pytest.mark.slow
def test_export_of_weights_that_no_calibration_was_fitted_to_ends_with_2(forked, home, ranked):
    with_other_weights(ranked, home / "ranked_copied")
    done = forked("export.py", "run=ranked_copied", "checkpoint=last", cwd=home)
    assert done.returncode == 2
    assert "these weights (step 1) have no calibrations" in done.stderr
    assert forked("export.py", "run=ranked_copied", "--dry-run", cwd=home).returncode == 0


@pytest.mark.slow
def test_export_of_best_weights_that_were_not_tested_ends_with_4(forked, home):
    with_other_weights(home / "out", home / "repointed")
    (home / "repointed" / "checkpoints" / "best").unlink()
    (home / "repointed" / "checkpoints" / "best").symlink_to("step-other")
    done = forked("export.py", "run=repointed", cwd=home)
    assert done.returncode == 4
    assert "the weights are not those that were tested" in done.stderr


@pytest.fixture(scope="module")
def pair(forked, home, ranked):
    """Bundle of a copy of `out`, with the ranker of `ranked`."""
    shutil.copytree(home / "out", home / "both", symlinks=True, ignore=shutil.ignore_patterns("bundle"))
    done = forked("export.py", "run=both", "ranker=ranked", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"bundle: {Path('both') / 'bundle'}"
    return home / "both" / "bundle"


def test_bundle_of_both_tasks_says_whose_weights_and_metrics_it_holds(home, ranked, pair):
    manifest = json.loads((pair / "manifest.json").read_text())
    graphs = {"user_tower.onnx", "item_tower.onnx", "retriever.onnx", "ranker.onnx"}
    assert set(manifest["files"]) == graphs | {"item_embeddings.parquet", "calibration.svg"} | ALWAYS
    for task, run in {"retrieval": "both", "ranking": "ranked"}.items():
        best = json.loads((home / run / "checkpoints" / "best" / "checkpoint.json").read_text())
        assert manifest["checkpoint"][task] == {"run": run, **{key: best[key] for key in ("step", "epoch", "sha256")}}
    one, other = (json.loads((run / "metrics.json").read_text()) for run in (home / "both", ranked))
    assert not one.keys() & other.keys()  # so that one flat file can hold both
    assert json.loads((pair / "metrics.json").read_text()) == {**one, **other}


def test_bundle_of_both_tasks_answers_like_the_bundles_of_each(pair, retriever, ranker):
    user = {"user_id": 100_007, "country": "DE", "interests": ["garden"], "history": [5004, 5120]}
    found = Retriever(pair).recommend([user], k=20, exclude=[user["history"]])
    assert len(found[0].items) == 20
    assert found == Retriever(retriever).recommend([user], k=20, exclude=[user["history"]])
    rows = [{"item_id": item, "price": 12.5, "device": "mobile"} for item in found[0].items]
    predicted = Ranker(pair).predict(rows, user=user)
    assert len(set(predicted["click"])) > 10
    assert predicted == Ranker(ranker).predict(rows, user=user)


@pytest.mark.slow
def test_sources_of_the_ranker_are_checked_too(forked, home, ranked):
    store = home / "moved"
    shutil.copytree(json.loads((ranked / "lineage.json").read_text())["store"], store)
    manifest = json.loads((store / "manifest.json").read_text())
    manifest["inputs"][0]["path"] = str(home / "gone.parquet")
    (store / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(ranked, home / "ranked_moved", symlinks=True)
    (home / "ranked_moved" / "lineage.json").write_text(json.dumps({"store": str(store)}))
    done = forked("export.py", "run=out", "ranker=ranked_moved", cwd=home)
    assert done.returncode == 4
    assert "input file is gone" in done.stderr
    assert "gone.parquet" in done.stderr


@pytest.mark.slow
def test_dry_run_says_what_would_happen_and_leaves_the_bundle_as_it_is(forked, home, pair):
    before = {path.name: path.read_bytes() for path in pair.iterdir()}
    asked = ("run=both", "ranker=ranked", "gate.min={test/click/auc: 0.4}", "gate.size_mb=50", f"against={pair}", "--dry-run")
    done = forked("export.py", *asked, cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"would publish: {Path('both') / 'bundle'}"
    for gate in ("parity", "golden", "floor", "production", "size"):
        assert re.search(rf"^{gate} +passed ", done.stdout, re.MULTILINE)
    for metric in ("recall@20", "ndcg@20", "click/auc", "click_conversion/auc"):
        assert f"{metric} " in " ".join(done.stdout.split())  # the table folds longer texts
    assert {path.name: path.read_bytes() for path in pair.iterdir()} == before
    assert not list(pair.parent.glob(".bundle*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("gate.min={test/click/auc: 0.99}", 12),
        ("gate.size_mb=0.001", 15),
        pytest.param("gate.p99_ms=1e-6", 14, marks=pytest.mark.slow),
    ],
)
def test_a_bundle_that_fails_a_gate_is_not_published(forked, home, ranker, gate, code):
    before = {path.name: path.read_bytes() for path in ranker.iterdir()}
    done = forked("export.py", "run=ranked", gate, cwd=home)
    assert done.returncode == code, done.stderr
    assert "Release error: 1 problem" in done.stderr
    assert {path.name: path.read_bytes() for path in ranker.iterdir()} == before
    assert not list(ranker.parent.glob(".bundle*"))


@pytest.mark.slow
def test_narrow_weights_are_published_with_what_they_cost(forked, home, ranked):
    shutil.copytree(ranked, home / "narrow", symlinks=True, ignore=shutil.ignore_patterns("bundle"))
    # time is the machine's, and calibration on so few rows is chance: here they may be anything
    anything = ("quantize.max_p50_ratio=9", "quantize.max_ece_loss=1", "quantize.max_auc_loss=0.01")
    done = forked("export.py", "run=narrow", "quantize=int8_dynamic", *anything, cwd=home)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^quantization +passed ", done.stdout, re.MULTILINE)
    narrow = json.loads((home / "narrow" / "bundle" / "manifest.json").read_text())
    assert narrow["quantized"]["bytes_after"] < narrow["quantized"]["bytes_before"]
    assert set(narrow["quantized"]["loss"]) >= {"click/auc", "click/ece"}
    assert abs(narrow["quantized"]["loss"]["click/auc"]) < 0.001
    assert [path.name for path in (home / "narrow").glob(".*")] == [".lock"]  # that of the run


@pytest.mark.slow
def test_narrow_weights_that_are_too_slow_are_refused(forked, home, ranked):
    done = forked("export.py", "run=ranked", "quantize=int8_dynamic", "quantize.max_p50_ratio=0.001", "--dry-run", cwd=home)
    assert done.returncode == 16, done.stderr
    assert "int8_dynamic takes" in done.stderr


@pytest.mark.slow
def test_a_bundle_with_an_index_answers_like_exact_search(forked, home):
    shutil.copytree(home / "out", home / "indexed", symlinks=True, ignore=shutil.ignore_patterns("bundle"))
    done = forked("export.py", "run=indexed", "index=hnsw", "index.ef_search=[400]", cwd=home)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^index +passed ", done.stdout, re.MULTILINE)
    bundle = home / "indexed" / "bundle"
    assert "![" in (bundle / "card.md").read_text()
    rows = [{"user_id": None}]
    exact, near = (Retriever(bundle, search=search).recommend(rows, k=20)[0] for search in ("exact", "index"))
    assert near.items == exact.items
    assert near.scores == pytest.approx(exact.scores, rel=1e-5)


@pytest.mark.slow
def test_an_index_that_finds_too_little_is_refused(forked, home):
    done = forked(
        "export.py",
        "run=out",
        "index=ivf_pq",
        "index.nlist=16",
        "index.m=2",
        "index.nbits=4",
        "index.rescored=1",
        "index.nprobe=[1]",
        cwd=home,
    )
    assert done.returncode == 17, done.stderr
    assert "ivf_pq finds 0." in done.stderr


def test_an_index_of_a_run_without_items_is_refused(ranked):
    error = refused(f"run={ranked}", "index=hnsw")
    assert error.exit_code == 2
    assert "an index finds items of a catalogue" in str(error)


def test_export_of_a_pair_the_wrong_way_round_is_refused(home, ranked, monkeypatch):
    monkeypatch.chdir(home)
    error = refused("run=ranked", "ranker=out")
    assert error.exit_code == 2
    assert "exchange them: python export.py run=out ranker=ranked" in str(error)


def test_export_of_an_unfinished_run_is_refused(home):
    shutil.copytree(home / "out", home / "killed", symlinks=True)
    (home / "killed" / "metrics.json").unlink()
    error = refused(f"run={home / 'killed'}")
    assert error.exit_code == 2
    assert "the run did not finish: it has no metrics.json" in str(error)


def test_a_bundle_in_production_that_is_none_is_refused_before_anything_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = refused("run=nowhere", "against=nothing")
    assert error.exit_code == 2
    assert "nothing holds no manifest.json" in str(error)
    assert "against=nothing" in str(error)


def test_a_refused_run_does_not_block_its_directory(forked, home):
    done = forked("train.py", *SMALL, "model.user.dropout=2", "hydra.run.dir=refused", cwd=home)
    assert done.returncode == 2
    assert "key 'model.user.dropout'" in done.stderr
    assert not (home / "refused" / "config.yaml").exists()


def test_export_of_no_run_ends_with_2(forked, home):
    done = forked("export.py", "run=nowhere", cwd=home)
    assert done.returncode == 2
    assert "there is no config.yaml" in done.stderr
    assert not (home / "nowhere").exists()


def test_a_finished_run_has_nothing_left_to_do(forked, home):
    done = forked("train.py", "resume=out", cwd=home)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["nothing is left to do", f"run: {home / 'out'}"])
    done = forked("train.py", "resume=out", "loader.num_workers=1", cwd=home)
    assert done.returncode == 2
    assert "loader.num_workers: 0 -> 1" in done.stderr
    done = forked("train.py", "-m", "resume=out", cwd=home)
    assert done.returncode == 2
    assert "many runs cannot go on with one" in done.stderr
    done = forked("train.py", "resume=out", "--cfg", "job", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(home / "out" / "config.yaml") in done.stderr


def test_prepared_data_that_were_removed_are_back_after_resume(forked, home):
    store = Path(json.loads((home / "out" / "lineage.json").read_text())["store"])
    store.rename(home / "aside")
    done = forked("export.py", "run=out", cwd=home)
    assert done.returncode == 4
    assert "resume=" in done.stderr
    assert not store.exists()
    assert forked("train.py", "resume=out", cwd=home).returncode == 0
    assert (store / "SHA256SUMS").read_text().splitlines()[:5] == (home / "aside" / "SHA256SUMS").read_text().splitlines()[:5]


def test_a_run_of_another_version_names_the_file_that_no_longer_fits(home):
    (home / "older").mkdir()
    (home / "older" / "config.yaml").write_text((home / "out" / "config.yaml").read_text().replace("\nseed:", "\nsead:"))
    with pytest.raises(ConfigError) as error:
        recsys.compose(f"resume={home / 'older'}")
    assert f"where: {home / 'older' / 'config.yaml'}, key 'sead'" in str(error.value)


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_goes_on_as_if_it_had_not_been(forked, home):
    options = [*SMALL, "trainer.max_epochs=40", "callbacks.early_stopping.patience=40", "task.evaluation.intervals=0"]
    assert forked("train.py", *options, "hydra.run.dir=whole", cwd=home).returncode == 0
    command = [sys.executable, str(HOME / "train.py"), *options, "resume=auto", "hydra.run.dir=parts"]
    stopped = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (home / "parts" / "checkpoints" / "last").exists():
        time.sleep(0.05)
    stopped.terminate()
    said = stopped.communicate(timeout=60)[1]
    assert stopped.returncode == 143
    assert f"go on with: python train.py resume={home / 'parts'}" in said
    assert not (home / "parts" / "metrics.json").exists()
    done = forked("train.py", "resume=parts", cwd=home)
    assert done.returncode == 0, done.stderr
    for name in ("metrics.json", "metrics.jsonl", "checkpoints/best/model.safetensors", "checkpoints/last/state.safetensors"):
        assert (home / "parts" / name).read_bytes() == (home / "whole" / name).read_bytes(), name


@pytest.mark.slow
def test_runs_after_each_other_have_several_processes(home):
    options = [*SMALL, "trainer=ddp", "trainer.devices=3", "loader.batch_size=240", "task.evaluation.intervals=0"]
    done = program("train.py", "-m", *options, "seed=0,1", "hydra.sweep.dir=many", cwd=home)
    assert done.returncode == 0, done.stderr
    assert program("train.py", *options, "seed=1", "hydra.run.dir=one", cwd=home).returncode == 0
    found = {run: (home / run / "metrics.json").read_text() for run in ("many/0", "many/1", "one")}
    assert found["many/1"] == found["one"] != found["many/0"]


def test_two_processes_train_and_measure_like_one(home):
    done = program("train.py", *SMALL, "trainer=ddp", "trainer.max_epochs=2", "hydra.run.dir=ddp", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run: ") == 1
    one, two = (json.loads((home / name / "metrics.json").read_text()) for name in ("out", "ddp"))
    assert two.keys() == one.keys()
    same = [key for key in one if key.startswith(("baseline/", "oracle/"))]  # they do not depend on the order of training sums
    assert {key: two[key] for key in same} == pytest.approx({key: one[key] for key in same}, abs=1e-12)


@pytest.mark.slow
def test_wandb_offline_changes_no_metric(forked, home):
    done = forked("train.py", *SMALL, "logger=wandb", "logger.wandb.mode=offline", "hydra.run.dir=wandb_run", cwd=home)
    assert done.returncode == 0, done.stderr
    assert list((home / "wandb_run" / "wandb").glob("offline-run-*/*.wandb"))
    assert (home / "wandb_run" / "metrics.json").read_text() == (home / "out" / "metrics.json").read_text()


@pytest.mark.slow
def test_sweep_runs_each_trial_in_a_directory_of_its_own(forked, home):
    done = forked("train.py", "-m", "seed=0,1", *SMALL, cwd=home)
    assert done.returncode == 0, done.stderr
    runs = sorted((home / "outputs" / "retrieval" / "shop").glob("*/*/metrics.json"))
    assert [run.parent.name for run in runs] == ["0", "1"]
    assert runs[0].read_text() == (home / "out" / "metrics.json").read_text()
    assert runs[1].read_text() != runs[0].read_text()
