"""Evaluation of impressions inside a real Trainer, on six test rows of which every number can be worked by hand."""

import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from recsys.baseline.base import FeatureTable, ImpressionBaseline, LabelledTable
from recsys.baseline.logistic import Logistic
from recsys.baseline.prior import Prior
from recsys.batch import ImpressionBatch, Outcomes, Slice, Truth
from recsys.calibration.base import Calibration
from recsys.calibration.plain import Plain
from recsys.calibration.platt import Platt
from recsys.errors import DataError, NumericsError
from recsys.run.metrics_log import MetricsLog
from recsys.schema import Label
from recsys.task.ranking.evaluation import ImpressionEvaluation

NAN = math.nan
LABELS = (Label("click"), Label("buy", given="click"), Label("spend", given="buy", kind="regression"))
BINARY = LABELS[:2]
TRAIN = {"click": [1, 1, 0, 0, NAN], "buy": [1, 0, 0, 0, 0], "spend": [8, 0, 0, 0, 0]}
VAL = {"click": [1, 1, 1, 0], "buy": [1, 0, 0, 0], "spend": [20, 0, 0, 0]}
TEST = {"click": [1, 1, 0, 0, 0, 1], "buy": [1, 0, 0, 0, 0, 0], "spend": [30, 0, 0, 0, 0, 0]}
VAL_PREDICTED = {"click": [0.9, 0.5, 0.5, 0.5], "buy": [0.5, 0.5, 0.5, 0.8], "spend": [14, 1, 1, 1]}
TEST_PREDICTED = {"click": [0.8, 0.6, 0.4, 0.2, 0.7, 0.3], "buy": [0.5, 0.25, 0.9, 0.9, 0.9, 0.5], "spend": [25, 10, 10, 10, 10, 10]}
USER, SESSION = [1, 2, 1, 2, 1, 2], [1, 3, 1, 3, 2, 4]
DEVICE = Slice("device", ("phone", "web"), torch.tensor([0, 0, 0, 0, 1, 1]))


def columns(values: dict[str, list[float]]) -> dict[str, Tensor]:
    return {column: torch.tensor(entries, dtype=torch.float32) for column, entries in values.items()}


class Answers(LightningModule):
    """Gives back the logits and numbers that stand in its batches."""

    def __init__(self, labels=LABELS, calibration=Plain):
        super().__init__()
        self.labels = labels
        self.bias_columns = frozenset()
        self.calibrations = {label.column: calibration() for label in labels if label.kind == "binary"}

    def validation_step(self, batch: ImpressionBatch, batch_idx: int) -> Tensor:
        return torch.stack([batch.features[label.column] for label in self.labels], 1)

    test_step = validation_step


class Shop(LightningDataModule):
    """Impressions in batches, dealt to processes in turn; arguments replace labels, predictions, users or slices."""

    def __init__(self, batch_size: int = 4, user: list[int] | None = USER, session: list[int] | None = SESSION, **changes: dict):
        super().__init__()
        self.batch_size, self.user, self.session = batch_size, user, session
        given = {"train": TRAIN, "val": VAL, "test": TEST, "val_predicted": VAL_PREDICTED, "test_predicted": TEST_PREDICTED, **changes}
        self.columns = {name: columns(values) for name, values in given.items()}

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader:
        return self.loader("test")

    def loader(self, split: str) -> DataLoader:
        predicted = {column: values.clone() for column, values in self.columns[f"{split}_predicted"].items()}
        predicted |= {column: predicted[column].logit() for column in ("click", "buy")}
        parts = torch.arange(len(predicted["click"])).split(self.batch_size)[self.trainer.global_rank :: self.trainer.world_size]
        batches = [ImpressionBatch({column: values[part] for column, values in predicted.items()}, part) for part in parts]
        return DataLoader(batches, batch_size=None)

    def outcomes(self, split: str) -> Outcomes:
        labels = self.columns[split]
        user, session = (None if of is None else torch.tensor(of[: len(labels["click"])]) for of in (self.user, self.session))
        return Outcomes(labels, user, session, [DEVICE] if split == "test" else [])

    def labels(self, split: str) -> dict[str, Tensor]:
        return self.columns[split]

    def feature_table(self, split: str) -> FeatureTable:
        number = np.arange(len(self.columns[split]["click"]), dtype=np.float32)
        return FeatureTable(number[:, None], np.zeros((len(number), 0), np.int64), ())


class Numbers(ImpressionBaseline):
    """Remembers what it was fitted on; predicts a tenth of the row's number."""

    name = "numbers"

    def __init__(self):
        self.fits, self.validated = [], []

    def fit(self, training: LabelledTable, validation: LabelledTable, *, binary: bool) -> None:
        self.fits.append((training.table.numbers[:, 0].tolist(), training.label.tolist(), binary))
        self.validated.append((validation.table.numbers[:, 0].tolist(), validation.label.tolist()))

    def predict(self, table: FeatureTable) -> np.ndarray:
        return table.numbers[:, 0] / 10


class Rate(Calibration):
    """The share of label 1 it was fitted on, for every row."""

    def __init__(self):
        super().__init__({"rate": NAN})

    def forward(self, logit: Tensor) -> Tensor:
        return torch.where(self.rate.isnan(), logit.sigmoid(), self.rate)

    def fitted_state(self, logit: Tensor, label: Tensor) -> dict[str, float]:
        return {"rate": float(label.mean())}


@pytest.fixture
def measured(tmp_path):
    """measured(stage, data, module, ...) evaluates and gives the callback; further arguments are the callback's."""

    def measured(stage: str, data: Shop | None = None, module: Answers | None = None, **settings: object) -> ImpressionEvaluation:
        callback = evaluation(**settings)
        run(stage, callback, data or Shop(), module or Answers(), tmp_path)
        return callback

    return measured


def evaluation(**settings: object) -> ImpressionEvaluation:
    return ImpressionEvaluation([1], **{"intervals": 0, "min_slice_rows": 3, "baselines": {}, **settings})


def run(stage: str, callback: ImpressionEvaluation, data: Shop, module: Answers, folder: Path, logger=False) -> Trainer:
    quiet = {"logger": logger, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    world = int(os.environ.get("WORLD_SIZE", "1"))
    trainer = Trainer(
        accelerator="cpu", devices=world, callbacks=[callback], use_distributed_sampler=False, default_root_dir=folder, **quiet
    )
    {"val": trainer.validate, "test": trainer.test}[stage](module, datamodule=data, verbose=False)
    return trainer


def test_a_label_is_measured_over_its_rows(measured):
    results = measured("test").results
    # of 9 pairs, 0.8 wins 3, 0.6 wins 2 and 0.3 wins 1
    assert results["test/click/auc"] == 6 / 9
    # user 1: 0.8 over 0.4 and 0.7; user 2: 0.6 and 0.3 over 0.2
    assert results["test/click/gauc"] == 1
    # pages {0, 2}, {1, 3} and {5} show a click first, {4} has none; users' rows as one list would make it (1 + 1/2) / 2
    assert results["test/click/recall@1"] == 1
    happened = [0.8, 0.6, 1 - 0.4, 1 - 0.2, 1 - 0.7, 0.3]
    assert results["test/click/log_loss"] == pytest.approx(-sum(map(math.log, happened)) / 6, rel=1e-6)
    assert (results["test/click/rows"], results["test/click/positives"]) == (6, 3)


def test_a_label_given_another_is_measured_where_that_one_is_1(measured):
    results = measured("test").results
    # rows 0, 1 and 5: 0.5 beats 0.25 and ties with 0.5
    assert results["test/buy/auc"] == 0.75
    assert results["test/buy/rows"] == 3
    assert results["test/buy/predicted_over_actual"] == pytest.approx(1.25)
    # row 0 alone was clicked and bought
    assert (results["test/spend/rmse"], results["test/spend/mae"], results["test/spend/rows"]) == (5, 5, 1)


def test_a_funnel_is_measured_over_all_rows_by_its_product(measured):
    results = measured("test").results
    # products: 0.4 | 0.15 0.36 0.18 0.63 0.15
    assert results["test/click_buy/auc"] == pytest.approx(4 / 5)
    assert results["test/click_buy/predicted_over_actual"] == pytest.approx(1.87)
    assert results["test/click_buy/rows"] == 6
    # expected spend: 10 against 30, and 1.5 3.6 1.8 6.3 1.5 against 0
    assert results["test/click_buy_spend/mae"] == pytest.approx((20 + 14.7) / 6)


def test_validation_adds_up_the_log_losses_of_labels(measured):
    callback = measured("val", intervals=20, baselines={"prior": Prior()}, oracle=Truth({}, {}))
    click = -(math.log(0.9) + 3 * math.log(0.5)) / 4
    assert callback.results["val/click/log_loss"] == pytest.approx(click, rel=1e-6)
    assert callback.results["val/buy/log_loss"] == pytest.approx(math.log(2), rel=1e-6)  # of rows 0, 1 and 2
    assert callback.results["val/log_loss"] == pytest.approx(click + math.log(2), rel=1e-6)
    assert callback.results["val/spend/rmse"] == pytest.approx(6)
    assert {key.split("/")[0] for key in callback.results} == {"val"}
    assert callback.results.keys() <= set(callback.validated(Answers().labels))
    assert not any(key.endswith(("/low", "/high")) for key in callback.results)


def test_metrics_reach_the_log_of_the_run(tmp_path):
    callback = evaluation(intervals=5, baselines={"prior": Prior()})
    run("test", callback, Shop(), Answers(), tmp_path, logger=MetricsLog(tmp_path / "metrics.jsonl"))
    (line,) = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {key: value for key, value in line.items() if key not in ("step", "epoch")} == callback.results
    assert line["test/click/auc"] == 6 / 9


def test_calibration_is_fitted_on_validation_and_applied_at_test(measured, tmp_path):
    results = measured("test", module=Answers(calibration=Rate)).results
    # validation: 3 of 4 clicked, 1 of those 3 bought
    assert results["test/click/predicted_over_actual"] == pytest.approx(6 * 0.75 / 3)
    assert results["test/buy/predicted_over_actual"] == pytest.approx(3 * (1 / 3) / 1)
    assert results["test/click_buy/predicted_over_actual"] == pytest.approx(6 * 0.25 / 1)
    kept = json.loads((tmp_path / "calibration.json").read_text())
    assert kept == {"click": {"rate": 0.75}, "buy": {"rate": pytest.approx(1 / 3)}}


def test_reliability_of_labels_and_funnels_is_written_at_test(measured, tmp_path):
    measured("val")
    assert not (tmp_path / "reliability.json").exists()
    measured("test", module=Answers(calibration=Rate))
    kept = json.loads((tmp_path / "reliability.json").read_text())
    assert list(kept) == ["click", "buy", "click_buy"]  # a number has no such curve
    # calibrated, all rows have one prediction: 3 of 6 were clicked, 1 of those 3 bought
    (click,), (buy,), (both,) = (kept[name]["bins"] for name in kept)
    assert (click["rows"], click["predicted"], click["actual"]) == (6, 0.75, 0.5)
    assert (buy["rows"], buy["predicted"], buy["actual"]) == (3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (both["rows"], both["predicted"], both["actual"]) == (6, pytest.approx(0.25), pytest.approx(1 / 6))


def test_a_label_that_concerns_no_row_has_no_reliability(measured, tmp_path):
    measured("test", Shop(test={**TEST, "click": [0] * 6, "buy": [0] * 6}), Answers(BINARY))
    assert list(json.loads((tmp_path / "reliability.json").read_text())) == ["click", "click_buy"]


def test_validation_measures_what_the_model_says_itself(measured):
    results = measured("val", module=Answers(calibration=Rate)).results
    assert results["val/click/predicted_over_actual"] == pytest.approx(2.4 / 3)


def test_notes_name_what_has_no_value_and_why(measured):
    unsold = {**TEST, "buy": [0] * 6}
    callback = measured("test", Shop(user=None, session=None, test=unsold), Answers(BINARY))
    of_lists = ("gauc, gauc_by_positives n/a: rows have no user", "ndcg@1, recall@1 n/a: rows have neither user nor session")
    unknown = "auc, pr_auc, normalized_entropy, predicted_over_actual n/a: no positive among"
    assert sorted(callback.notes) == sorted(
        [
            *(f"test/{name}: {note}" for name in ("click", "buy", "click_buy") for note in of_lists),
            f"test/buy: {unknown} 3 rows",
            f"test/click_buy: {unknown} 6 rows",
        ]
    )
    assert "test/click/auc" in callback.results
    assert not {"test/buy/auc", "test/click/gauc", "test/click/recall@1"} & set(callback.results)


def test_notes_say_why_a_label_was_not_calibrated(measured):
    callback = measured("test", Shop(val={**VAL, "buy": [0] * 4}), Answers(BINARY, Platt))
    assert "calibration of buy: left as the plain sigmoid: all 3 labels are 0" in callback.notes
    assert not [note for note in callback.notes if note.startswith("calibration of click")]


def test_intervals_surround_the_models_test_metrics_alone(measured, monkeypatch):
    monkeypatch.setattr("recsys.metric.impressions.FEWEST", 2)
    results = measured("test", intervals=30, baselines={"prior": Prior()}).results
    bounded = {key.rpartition("/")[0] for key in results if key.endswith("/low")}
    assert "test/click/log_loss" in bounded
    assert {key.split("/")[0] for key in bounded} == {"test"}
    for key in bounded:
        assert results[f"{key}/low"] <= results[f"{key}/high"]
    assert results["test/click/log_loss/low"] < results["test/click/log_loss"] < results["test/click/log_loss/high"]
    assert not any("/low" in key for key in measured("test").results)


def test_groups_with_few_rows_are_left_out(measured):
    results = measured("test").results
    # phone: rows 0 to 3, of which 0 and 1 were clicked; web: rows 4 and 5
    assert results["test/device=phone/click/rows"] == 4
    assert results["test/device=phone/click/auc"] == 1
    assert results["test/device=phone/click/predicted_over_actual"] == pytest.approx(1)
    assert results["test/device=phone/click_buy/auc"] == 1  # 0.4 over 0.15, 0.36 and 0.18
    groups = {tuple(key.split("/")[1:3]) for key in results if "=" in key}
    assert groups == {("device=phone", "click"), ("device=phone", "click_buy")}
    assert "test/device=web/click/rows" in measured("test", min_slice_rows=2).results


def test_baselines_are_fitted_where_a_label_is_known_and_concerns_the_row(measured):
    numbers = Numbers()
    results = measured("test", baselines={"prior": Prior(), "mine": numbers}).results
    assert numbers.fits == [([0, 1, 2, 3], [1, 1, 0, 0], True), ([0, 1], [1, 0], True), ([0], [8], False)]
    assert numbers.validated == [([0, 1, 2, 3], [1, 1, 1, 0]), ([0, 1, 2], [1, 0, 0]), ([0], [20])]
    # prior: half of all rows are clicked, half of the clicked ones bought, for 8 each
    assert results["baseline/prior/test/click/predicted_over_actual"] == pytest.approx(6 * 0.5 / 3)
    assert results["baseline/prior/test/buy/predicted_over_actual"] == pytest.approx(3 * 0.5 / 1)
    assert results["baseline/prior/test/click_buy/predicted_over_actual"] == pytest.approx(6 * 0.25 / 1)
    assert results["baseline/prior/test/spend/mae"] == 22
    assert results["baseline/prior/test/click_buy_spend/mae"] == pytest.approx((28 + 5 * 2) / 6)
    # mine, on test rows: 0.1 and 0.5 were clicked beside 0.0; only 0.5 wins any pair, three of nine
    assert results["baseline/mine/test/click/auc"] == 3 / 9


class Placed(Answers):
    """Answers otherwise than in its batches where the position is known: with the logits of the truth below."""

    def __init__(self):
        super().__init__(BINARY)
        self.bias_columns = frozenset({"position"})

    def test_step(self, batch: ImpressionBatch, batch_idx: int) -> Tensor:
        known = torch.stack([KNOWN[label.column][batch.number].logit() for label in self.labels], 1)
        return torch.cat([self.validation_step(batch, batch_idx), known], 1)


KNOWN = columns({"click": [0.9, 0.9, 0.1, 0.1, 0.1, 0.9], "buy": [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]})


class Positions(Shop):
    """Impressions whose position says whether they were clicked."""

    def feature_table(self, split: str) -> FeatureTable:
        clicked = np.nan_to_num(self.columns[split]["click"].numpy()).astype(np.int64)
        return FeatureTable(np.zeros((len(clicked), 0), np.float32), np.stack([0 * clicked, clicked], 1), (1, 2), (1,))


def test_headline_metrics_are_as_served_and_what_bias_columns_add_stands_beside(measured):
    by_label = {column: values.double() for column, values in KNOWN.items()}
    flat = {column: torch.full((6,), 0.5, dtype=torch.float64) for column in KNOWN}
    oracle = Truth(flat, {}, by_label)
    callback = measured("test", Positions(), Placed(), baselines={"logistic": Logistic([1.0], 100)}, oracle=oracle)
    results, plain = callback.results, measured("test", module=Answers(BINARY)).results
    assert {key: value for key, value in results.items() if key.startswith("test/")} == plain
    assert results["with_bias/test/click/auc"] == results["with_bias/test/click_buy/auc"] == 1
    assert callback.predicted["click"].tolist() == pytest.approx(TEST_PREDICTED["click"])
    for name in ("baseline/logistic", "oracle"):
        assert results[f"{name}/test/click/auc"] == 0.5
        assert results[f"with_bias/{name}/test/click/auc"] == 1
    assert not [key for key in plain if key.startswith("with_bias/")]


def test_a_label_without_training_rows_is_predicted_as_0(measured):
    numbers = Numbers()
    results = measured("test", Shop(train={**TRAIN, "click": [0, 0, 0, 0, 0]}), baselines={"mine": numbers}).results
    assert [fit[1:] for fit in numbers.fits] == [([0, 0, 0, 0, 0], True)]
    assert results["baseline/mine/test/buy/predicted_over_actual"] == 0
    assert results["baseline/mine/test/spend/mae"] == 30


def test_the_truth_answers_the_same_rows_and_says_what_forcing_would_do(measured):
    truth = {"click": [0.9, 0.9, 0.1, 0.1, 0.1, 0.9], "buy": [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]}
    forced = {"buy": [0.5, 0.45, 0.4, 0.9, 0.9, 0.5]}
    oracle = Truth(*({column: values.double() for column, values in columns(given).items()} for given in (truth, forced)))
    results = measured("test", module=Answers(BINARY, Rate), oracle=oracle).results
    assert results["oracle/test/click/auc"] == results["oracle/test/buy/auc"] == results["oracle/test/click_buy/auc"] == 1
    assert results["oracle/test/click/predicted_over_actual"] == pytest.approx(1)
    # the model's own 0.5 0.25 0.9 0.9 0.9 0.5, before calibration, is 0.2 and 0.5 off in rows 1 and 2; sums 3.95 and 3.65
    assert results["test/buy_on_all/mae"] == pytest.approx(0.7 / 6)
    assert results["test/buy_on_all/rmse"] == pytest.approx(math.sqrt(0.29 / 6))
    assert results["test/buy_on_all/predicted_over_actual"] == pytest.approx(3.95 / 3.65)


@pytest.mark.parametrize(("stage", "column"), [("val", "click"), ("test", "buy"), ("test", "spend")])
def test_a_prediction_that_is_no_number_is_refused(measured, stage, column):
    predicted = VAL_PREDICTED if stage == "val" else TEST_PREDICTED
    broken = {**predicted, column: [NAN, *predicted[column][1:]]}
    with pytest.raises(NumericsError, match=f"predictions of 1 of {len(broken[column])} impressions hold NaN or infinity"):
        measured(stage, Shop(**{f"{stage}_predicted": broken}))


def test_validation_needs_a_binary_label_of_both_classes(measured):
    with pytest.raises(DataError, match="no binary label has both classes in validation"):
        measured("val", Shop(val={**VAL, "click": [0, 0, 0, 0]}))
    # one label that has them is enough, and the other counts on
    results = measured("val", Shop(val={**VAL, "buy": [0, 0, 0, 0]})).results
    assert results["val/log_loss"] == pytest.approx(results["val/click/log_loss"] + results["val/buy/log_loss"])


def test_numbers_alone_have_no_log_loss_to_add_up(measured):
    results = measured("val", module=Answers((Label("spend", kind="regression"),))).results
    # 14 against 20, and 1 against 0 three times
    assert results == {"val/spend/rmse": pytest.approx(math.sqrt(39 / 4)), "val/spend/mae": 9 / 4, "val/spend/rows": 4}


def full() -> ImpressionEvaluation:
    return evaluation(intervals=20, baselines={"prior": Prior(), "logistic": Logistic([1.0], 100)})


def test_numbers_are_equal_for_every_batch_size(tmp_path):
    results = []
    for batch_size in (1, 4, 6):
        callback = full()
        run("test", callback, Shop(batch_size), Answers(calibration=Platt), tmp_path)
        results.append(callback.results)
    assert results[0] == results[1] == results[2]


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_give_the_numbers_of_one(tmp_path, world):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "OMP_NUM_THREADS": "1"}
    shared |= {"TORCHELASTIC_RUN_ID": "test", "LOCAL_WORLD_SIZE": str(world), "GROUP_RANK": "0"}
    started = [
        subprocess.Popen([sys.executable, __file__, tmp_path], env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(world)
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * world

    alone = full()
    run("test", alone, Shop(batch_size=2), Answers(calibration=Platt), tmp_path)
    for rank in range(world):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == alone.results


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    callback = full()
    run("test", callback, Shop(batch_size=2), Answers(calibration=Platt), folder)
    (folder / f"{os.environ['RANK']}.json").write_text(json.dumps(callback.results))
