"""Runs beside each other: what differs is found, what does not is not, and how sure that is."""

import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from recsys.errors import ConfigError, IntegrityError
from recsys.metric.paired import comparisons
from recsys.report.compare import compare
from recsys.report.comparison import verdict_word
from recsys.run.directory import RunDirectory
from recsys.task.ranking.report import compare as of_ranking
from recsys.task.retrieval.report import compare as of_retrieval

USERS, RELEVANT = 2_000, 5


def found_by(chance, rng, *, of=None, kept=0.9):
    """[users] recall: each of a user's items is found with a chance of its own; nine of ten as another model finds them."""
    luck = rng.random((USERS, RELEVANT)) if of is None else np.where(rng.random(of.shape) < kept, of, rng.random(of.shape))
    return luck, (luck < chance[:, None]).mean(1)


def words(paths):
    comparison = compare(paths)
    return {one.metric: verdict_word(comparison, one) for one in comparison.differences}


def at(run, *ks):
    """The run, as if these had been its cut-offs: every user got 0.5."""
    names = [f"test/{name}@{k}" for name in ("recall", "ndcg", "hit_rate") for k in ks]
    (run / "metrics.json").write_text(json.dumps(dict.fromkeys(names, 0.5)))
    users = pl.read_parquet(run / "per_user.parquet").select("user_id")
    users.with_columns(pl.lit(0.5).alias(name) for name in names).write_parquet(run / "per_user.parquet")
    return run


def test_a_run_is_equal_to_another_of_the_same_answers(retrieval):
    assert words([retrieval("a"), retrieval("b")]) == {"recall@20": "equal", "ndcg@20": "equal"}


def test_many_runs_are_equal_to_the_last_digit(retrieval):
    recall = np.random.default_rng(0).random(1_001)
    comparison = compare([retrieval(name, recall) for name in "abcdefg"])
    assert {verdict_word(comparison, one) for one in comparison.differences} == {"equal"}


@pytest.mark.parametrize("seed", range(3))
def test_three_percent_more_recall_is_found_with_2000_users(retrieval, seed):
    rng = np.random.default_rng(seed)
    chance = rng.beta(2, 2, USERS)
    luck, recall = found_by(chance, rng)
    better = found_by(1.03 * chance, rng, of=luck, kept=0.97)[1]
    assert better.mean() / recall.mean() == pytest.approx(1.03, abs=0.012)
    found = words([retrieval("a", recall), retrieval("b", better)])
    assert found["recall@20"] == "better"
    assert words([tuple_ for tuple_ in (retrieval("c", better), retrieval("d", recall))])["recall@20"] == "worse"


def test_noise_is_called_no_difference_in_95_of_100_comparisons(retrieval, monkeypatch):
    monkeypatch.setattr(of_retrieval, "RESAMPLES", 300)
    rng = np.random.default_rng(11)
    chance = rng.beta(2, 2, USERS)
    clean = 0
    for trial in range(100):
        luck, recall = found_by(chance, rng)
        other = found_by(chance, rng, of=luck)[1]
        ndcg = [values + rng.normal(0, 0.05, USERS) for values in (recall, other)]
        clean += set(words([retrieval(f"a{trial}", recall, ndcg[0]), retrieval(f"b{trial}", other, ndcg[1])]).values()) == {
            "no difference found"
        }
    assert 90 <= clean <= 100  # 95 to 97 are to be expected; 3 standard deviations below are 89


def test_several_runs_are_held_against_the_first(retrieval):
    comparison = compare([retrieval("a"), retrieval("b", [1, 1, 1, 1]), retrieval("c", [0, 0, 0, 0])])
    assert comparison.runs == ("a", "b", "c")
    values = {(one.place, one.metric): (one.old[0], one.new[0]) for one in comparison.differences}
    assert values[1, "recall@20"] == (0.5, 1.0)
    assert values[2, "recall@20"] == (0.5, 0.0)
    assert (comparison.measured.units, comparison.measured.number) == ("users", 4)


def test_what_differs_in_the_configs_is_told(retrieval):
    comparison = compare([retrieval("a"), retrieval("b", store="elsewhere", bad_rows="quarantine")])
    assert comparison.configs == ({"data.bad_rows": ("nothing", "quarantine")},)


def test_a_run_that_is_named_twice_is_refused(retrieval):
    a, b = retrieval("a"), retrieval("b")
    (a.parent / "link").symlink_to(a)
    for again in (a, a / ".." / "a", a.parent / "link"):
        with pytest.raises(ConfigError, match=r"named more than once\n    where: .*/a\n"):
            compare([a, b, again])


def test_cut_offs_are_those_that_all_runs_have(retrieval):
    comparison = compare([at(retrieval("a"), 10, 20, 50), at(retrieval("b"), 10), at(retrieval("c"), 10, 15)])
    assert {one.metric for one in comparison.differences} == {"recall@10", "ndcg@10", "hit_rate@10"}
    # of b alone the usual cut-offs would be these very ones
    ones = ["recall@20 (measured by a)", "ndcg@20 (measured by a)", "recall@15 (measured by c)", "ndcg@15 (measured by c)"]
    assert comparison.measured.left_out == ones
    assert compare([retrieval("d"), retrieval("e")]).measured.left_out == []


def test_runs_that_share_no_metric_are_refused_with_what_each_measured(retrieval):
    a, b = at(retrieval("a"), 10, 20, 50), at(retrieval("b"), 5)
    with pytest.raises(ConfigError, match=r"no metric can be compared: recall@20 \(measured by a\)(.|\n)*ks of the other") as caught:
        compare([a, b])
    assert "recall@5 (measured by b)" in str(caught.value)


def test_rows_of_one_class_leave_nothing_to_compare(ranking):
    runs = [ranking("a"), ranking("b")]
    for run in runs:
        frame = pl.read_parquet(run / "predictions.parquet")
        frame.with_columns(click=pl.lit(0.0), buy=pl.lit(None, pl.Float64)).write_parquet(run / "predictions.parquet")
    with pytest.raises(ConfigError, match=r"no metric can be compared: click \(its test rows do not hold both classes\), buy \("):
        compare(runs)


def test_a_table_of_other_users_is_damage(retrieval):
    with pytest.raises(IntegrityError, match=r"per_user\.parquet has other users than that of the first run"):
        compare([retrieval("a"), retrieval("b", [1, 0, 1])])


def edited(run, file, edit):
    """The run, with this done to the table."""
    edit(pl.read_parquet(run / file)).write_parquet(run / file)
    return run


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda table: table.with_columns(pl.lit(float("nan")).alias("test/recall@20")),
            "'test/recall@20' holds a value that is no finite number",
        ),
        (lambda table: table.with_columns(pl.lit(None, pl.Float64).alias("test/recall@20")), "no finite number"),
        (lambda table: table.with_columns(pl.lit("x").alias("test/recall@20")), "is not what a run writes"),
        (lambda table: table.drop("user_id"), "user_id"),
        (lambda table: table.drop("test/ndcg@20"), "test/ndcg@20"),
        (lambda table: table.head(0), "it has no users"),
        (lambda table: table.reverse(), "other users than that of the first run"),
    ],
)
def test_a_damaged_table_of_users_is_named(retrieval, edit, told):
    runs = [retrieval("a"), edited(retrieval("b"), "per_user.parquet", edit)]
    with pytest.raises(IntegrityError, match=r"per_user\.parquet") as caught:
        compare(runs)
    assert told in str(caught.value)
    assert str(runs[1]) in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda table: table.head(399), "it has 399 rows, and the test had 400"),
        (lambda table: table.reverse(), "other users or labels than that of the first run"),
        (lambda table: table.with_columns(click=1 - pl.col("click")), "other users or labels"),
        (
            lambda table: table.with_columns(pl.lit(float("nan")).alias("predicted/click")),
            "'predicted/click' holds what predicts no binary",
        ),
        (lambda table: table.with_columns(pl.lit(1.5).alias("predicted/buy")), "'predicted/buy' holds what predicts no binary label"),
        (lambda table: table.with_columns(click=pl.lit(2.0)), "'click' holds what no binary label is"),
        (lambda table: table.with_columns(click=pl.lit("yes")), "'click' holds String"),
        (lambda table: table.with_columns(user_id=pl.lit(None, pl.Int64)), "'user_id' lacks values"),
        (lambda table: table.drop("user_id"), "user_id"),
        (lambda table: table.drop("predicted/buy"), "predicted/buy"),
    ],
)
def test_a_damaged_table_of_predictions_is_named(ranking, edit, told):
    runs = [ranking("a"), edited(ranking("b"), "predictions.parquet", edit)]
    with pytest.raises(IntegrityError, match=r"predictions\.parquet") as caught:
        compare(runs)
    assert told in str(caught.value)
    assert str(runs[1]) in str(caught.value)


def test_labels_are_measured_as_scikit_learn_does(ranking):
    runs = [RunDirectory.open(ranking("a")), RunDirectory.open(ranking("b", click=np.linspace(0.1, 0.9, 400)))]
    samples = {sample.metric: sample.estimates for sample in of_ranking.measurements(runs, "ab").samples}
    assert set(samples) == {f"{label}/{metric}" for label in ("click", "buy", "click_buy") for metric in ("auc", "log_loss")}
    for run, place in zip(runs, (0, 1)):
        frame = run.table("predictions.parquet")
        click, said = frame["click"].to_numpy(), frame["predicted/click"].to_numpy()
        assert samples["click/auc"][place] == pytest.approx(roc_auc_score(click, said))
        assert samples["click/log_loss"][place] == pytest.approx(log_loss(click, said))
        inside = frame.filter(frame["click"] == 1)
        assert samples["buy/auc"][place] == pytest.approx(roc_auc_score(inside["buy"].to_numpy(), inside["predicted/buy"].to_numpy()))


def test_less_log_loss_is_better(ranking):
    runs = [ranking("a"), ranking("b", click=np.full(400, 0.5))]
    found = words(runs)
    assert (found["click/auc"], found["click/log_loss"]) == ("worse", "worse")
    assert words(runs[::-1])["click/log_loss"] == "better"
    assert found["buy/auc"] == "equal"


def test_rows_of_a_user_are_drawn_together(ranking, tmp_path):
    runs = [ranking("a"), ranking("b", click=np.linspace(0.1, 0.9, 400))]
    comparison = compare(runs)
    assert (comparison.measured.units, comparison.measured.number) == ("users", 40)


def test_users_with_both_outcomes_bear_on_a_label(ranking):
    runs = [ranking("a"), ranking("b", buy=np.linspace(0.8, 0.2, 400))]
    for run in runs:
        frame = pl.read_parquet(run / "predictions.parquet")
        late = pl.when(pl.col("user_id") < 37).then(pl.col("buy") * 0).otherwise(pl.col("buy"))
        frame.with_columns(buy=late).write_parquet(run / "predictions.parquet")
    comparison = compare(runs)
    bearing = {one.metric: one.units for one in comparison.differences}
    bought = set(frame.filter(pl.col("user_id") >= 37, pl.col("buy") == 1)["user_id"])
    assert bearing["buy/auc"] == bearing["buy/log_loss"] == len(bought) <= 3
    assert {one.metric: verdict_word(comparison, one) for one in comparison.differences}["buy/auc"] == "too few to tell"
    assert bearing["click/auc"] == 40


def test_users_share_what_is_easy(retrieval):
    rng = np.random.default_rng(0)
    easy = rng.random(500)
    runs = [RunDirectory.open(retrieval("a", easy)), RunDirectory.open(retrieval("b", easy + rng.normal(0, 0.01, 500)))]
    recall, _ = comparisons(of_retrieval.measurements(runs, "ab").samples)
    assert recall.difference[2] - recall.difference[1] < 0.1 * (recall.new[2] - recall.new[1])
