import json

import pytest

from recsys.errors import ConfigError, IntegrityError
from recsys.sweep.trial import Outcome, outcome

BROKEN = """epoch   1  loss nan
Numerics error: 1 problem:
  1. the loss is not finite since step 40
    where: epoch 1
    fix: lower optimizer.dense.lr
"""
TRACE = """Error executing job with overrides: ['loss=bpr']
Traceback (most recent call last):
  File "train.py", line 3, in <module>
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB

Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.
"""


@pytest.fixture
def run(tmp_path):
    def run(metrics=None, printed="", manifest=None):
        (tmp_path / "output.log").write_text(printed)
        if metrics is not None:
            (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        if manifest is not None:
            (tmp_path / "bundle").mkdir()
            (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(manifest))
        return tmp_path

    return run


def test_values_come_in_the_order_of_the_objectives(run):
    folder = run({"val/a": 1, "val/b": 0.5, "test/a": 9.0})
    assert outcome(folder, 0, ("val/b", "val/a")) == Outcome("finished", (0.5, 1.0))


@pytest.mark.parametrize(
    ("code", "printed", "reason"),
    [
        (5, BROKEN, "Numerics error: the loss is not finite since step 40"),
        (1, TRACE, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
        (-9, "epoch 1", "killed by SIGKILL, as happens where memory runs out"),
        (-11, TRACE, "killed by SIGSEGV"),
    ],
)
def test_failure_has_its_kind_and_message_in_one_line(run, code, printed, reason):
    assert outcome(run(printed=printed), code, ("val/a",)) == Outcome("failed", reason=reason)


def test_failure_without_a_word_names_the_log(run):
    assert outcome(run(printed="epoch 1\n"), 3, ("val/a",)).reason.startswith("exit code 3, see /")


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "nan"), (None, "NaN"), (float("inf"), "inf"), ("x", "x")])
def test_objective_that_is_no_number_is_a_failure(run, value, said):
    assert outcome(run({"val/a": value}), 0, ("val/a",)) == Outcome("failed", reason=f"val/a is {said}")


def test_pruned_trial_has_no_values(run):
    assert outcome(run(), 8, ("val/a",)) == Outcome("pruned")


def test_objective_that_no_run_has_is_a_mistake_of_the_sweep(run):
    with pytest.raises(ConfigError, match=r"no metric is called 'val/recal@20'; did you mean 'val/recall@20'\?"):
        outcome(run({"val/recall@20": 0.1}), 0, ("val/recal@20",))


MISTYPED = """Config error: 1 problem:
  1. no metric is called 'val/recal@20'; did you mean 'val/recall@20'?
    where: hydra.sweeper.objectives
    fix: use one of val/ndcg@20, val/recall@20; then start the sweep in a new directory
"""


def test_objective_that_a_trial_did_not_find_is_a_mistake_of_the_sweep(run):
    with pytest.raises(ConfigError) as refused:
        outcome(run(printed=MISTYPED), 2, ("val/recal@20",))
    assert f"Config error: {refused.value}\n" == MISTYPED


def test_config_that_does_not_suit_one_trial_is_its_own_failure(run):
    printed = MISTYPED.replace("hydra.sweeper.objectives", "monitor, or checkpoint.monitor")
    assert outcome(run(printed=printed), 2, ("val/recall@20",)).state == "failed"


def test_bundle_is_measured_by_its_manifest(run):
    latency = {"start_ms": 200.0, "ranker": {"p50_ms": 2.0, "p99_ms": 3.0}, "retriever": {"p50_ms": 1.0, "p99_ms": 5.0}}
    files = {"a.onnx": {"size": 1_500_000}, "b.onnx": {"size": 500_000}}
    folder = run({"val/a": 0.5}, manifest={"latency": latency, "files": files})
    ended = outcome(folder, 0, ("val/a", "bundle/size_mb", "bundle/p50_ms", "bundle/p99_ms"))
    assert ended.values == (0.5, 2.0, 2.0, 5.0)  # of the slower part


def test_metrics_that_are_no_mapping_are_named(run):
    with pytest.raises(IntegrityError, match=r"metrics\.json is not what a run writes"):
        outcome(run([1, 2]), 0, ("val/a",))
