"""A retriever, a ranker and the truth disagree about six items, so few that every order can be worked by hand.

user  candidates (retriever)  ranker's click   ranker's order  truth                       to find     known
 1    2 3 4                   .2 .5 .1         3 2 4           2: .1, 3: .2, 4: .3, 5: .8  3, 5 (1)    1
 2    6 5 4                   .1 .2 .3         4 5 6           6: .3, 5: .1, 4: .5, 1: .4  4
 3    4 6 5                   .3 .3 .1         4 = 6, 5        4: .2, 6: .4, 5: .6, 1: .7  5           2
 4    1 3 4                                                                               (2)         2
"""

import json
import math
import os
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from recsys.batch import Catalogue, ImpressionBatch, UserBatch
from recsys.calibration.base import Calibration
from recsys.calibration.plain import Plain
from recsys.errors import ConfigError, NumericsError
from recsys.schema import Label
from recsys.task.ranking.pair import Pair

TASTE = torch.tensor([[0, 0, 0, 0, 0, 0, 0], [0, 9, 8, 7, 6, 5, 4], [0, 4, 5, 6, 7, 8, 9], [0, 1, 9, 2, 8, 3, 7], [0, 9, 9, 8, 7, 6, 5]])
CLICK = torch.full((5, 7), 0.5)
CLICK[1, 2:5] = torch.tensor([0.2, 0.5, 0.1])
CLICK[2, 4:7] = torch.tensor([0.3, 0.2, 0.1])
CLICK[3, 4:7] = torch.tensor([0.3, 0.1, 0.3])
BUY = torch.full((5, 7), 0.5)
BUY[1, 2:5] = torch.tensor([0.9, 0.1, 0.9])
TRUE = torch.tensor(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.9, 0.1, 0.2, 0.3, 0.8, 0.1],
        [0.0, 0.4, 0.0, 0.0, 0.5, 0.1, 0.3],
        [0.0, 0.7, 1.0, 0.0, 0.2, 0.6, 0.4],
        [0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
    ]
)
KNOWN = {1: [1], 2: [], 3: [2], 4: [2]}
RELEVANT = {1: [1, 3, 5], 2: [4], 3: [5], 4: [2]}


class Finder:
    """The retriever: an item's score is the user's taste for it."""

    def to(self, device: torch.device) -> "Finder":
        return self

    def users(self, features: dict[str, Tensor]) -> Tensor:
        return TASTE[features["user"]].float()

    def catalogue(self, features: dict[str, Tensor]) -> Tensor:
        return torch.eye(7) * (features["item"] != 0)[:, None]


class Judge(LightningModule):
    """The ranker: looks the pair of user and item up, and remembers what it was asked."""

    labels = (Label("click"), Label("buy", given="click"))

    def __init__(self, calibration: type[Calibration] = Plain, **tables: Tensor):
        super().__init__()
        self.tables = {"click": CLICK, "buy": BUY} | tables
        self.calibrations = {label.column: calibration() for label in self.labels}
        self.asked: list[dict[str, Tensor]] = []

    def validation_step(self, batch: ImpressionBatch, batch_idx: int) -> Tensor:
        self.asked.append(batch.features)
        return torch.stack([table[batch.features["user"], batch.features["item"]].logit() for table in self.tables.values()], 1)


class Pages:
    """The four users, each on a device of their own, or the first of them."""

    def __init__(self, users: int = 4):
        self.users = users

    def __len__(self) -> int:
        return self.users

    def batch(self, index: Tensor) -> UserBatch:
        user = index + 1
        pairs = [[(row, item) for row, one in enumerate(user.tolist()) for item in items[one]] for items in (KNOWN, RELEVANT)]
        known, relevant = (torch.tensor(part, dtype=torch.int64).view(-1, 2).T.contiguous() for part in pairs)
        return UserBatch({"user": user, "device": user * 10}, user, known, relevant)


class Shop(LightningDataModule):
    """One impression to be tested on, and the pages."""

    catalogue = Catalogue({"item": torch.arange(7)}, torch.zeros(7))

    def __init__(self, users: int = 4):
        super().__init__()
        self.users = users

    def test_dataloader(self) -> DataLoader:
        return DataLoader([ImpressionBatch({"user": torch.tensor([1]), "item": torch.tensor([1])}, torch.tensor([0]))], batch_size=None)

    def first_pages(self, split: str) -> Pages:
        assert split == "test"
        return Pages(self.users)


class Truth:
    """A table of scores by user and item."""

    def __init__(self, scores: Tensor):
        self.table = scores

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        return self.table[user]


def pair(num_candidates: int = 3, ks: tuple[int, ...] = (1, 2), **changes: object) -> Pair:
    arguments = {"intervals": 0, "retriever": Finder(), "exclude_known": True, "labels": ("click",), "truths": {}, **changes}
    return Pair(num_candidates, list(ks), **arguments)


def measured(judge: Judge | None = None, **changes: object) -> dict[str, float]:
    trainer = SimpleNamespace(
        datamodule=Shop(), global_rank=0, world_size=1, precision_plugin=SimpleNamespace(val_step_context=nullcontext)
    )
    return pair(**changes).metrics(trainer, judge or Judge())


def known_truth(judge: Judge | None = None, **changes: object) -> dict[str, float]:
    return measured(judge, truths={"oracle": Truth(TRUE), "exposed_oracle": Truth(TASTE.float())}, **changes)


def test_candidates_are_the_best_of_the_catalogue_without_what_was_known():
    judge = Judge()
    measured(judge)
    (asked,) = judge.asked
    assert asked["item"].tolist() == [2, 3, 4, 6, 5, 4, 4, 6, 5, 1, 3, 4]
    with_known = Judge()
    measured(with_known, exclude_known=False)
    assert with_known.asked[0]["item"].tolist() == [1, 2, 3, 6, 5, 4, 2, 4, 6, 1, 2, 3]


def test_every_candidate_has_its_users_features_and_context():
    judge = Judge()
    measured(judge)
    (asked,) = judge.asked
    assert asked["user"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert asked["device"].tolist() == [10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40]


def test_orders_are_measured_by_what_users_chose():
    results = measured()
    # the retriever finds user 1's item 3 second, the others' third; user 1 has another one, item 5, beyond the candidates
    assert results["pair/retriever/test/recall@1"] == 0
    assert results["pair/retriever/test/recall@2"] == pytest.approx((1 / 2 + 0 + 0) / 3)
    second = 1 / math.log2(3)
    assert results["pair/retriever/test/ndcg@2"] == pytest.approx(second / (1 + second) / 3)
    # the ranker puts items 3 and 4 of users 1 and 2 first
    assert results["pair/test/recall@1"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert results["pair/test/ndcg@1"] == pytest.approx((1 + 1 + 0) / 3)
    assert results["pair/retriever/test/recall@3"] == pytest.approx((1 / 2 + 1 + 1) / 3)  # of all candidates
    assert not any("true" in key or "oracle" in key for key in results)


def test_users_without_anything_left_to_find_are_counted():
    results = measured()
    assert (results["pair/test/users"], results["pair/test/users_left_out"], results["pair/test/candidates"]) == (3, 1, 3)


def test_the_truth_orders_the_same_candidates():
    results = known_truth()
    # the truth puts 4, 4 and 5 first
    assert results["pair/oracle/test/recall@1"] == pytest.approx((0 + 1 + 1) / 3)
    assert results["pair/exposed_oracle/test/recall@1"] == results["pair/retriever/test/recall@1"]  # here it is the taste


def test_lists_are_worth_what_the_truth_says_of_them():
    results = known_truth()
    assert results["pair/retriever/test/true_click@1"] == pytest.approx((0.1 + 0.3 + 0.2) / 3)
    assert results["pair/retriever/test/true_click@2"] == pytest.approx((0.15 + 0.2 + 0.3) / 3)
    assert results["pair/oracle/test/true_click@1"] == pytest.approx((0.3 + 0.5 + 0.6) / 3)
    assert results["pair/exposed_oracle/test/true_click@1"] == results["pair/retriever/test/true_click@1"]
    # of the whole catalogue, without items 1 and 2 of users 1 and 3: items 5, 4 and 1
    assert results["pair/best/test/true_click@1"] == pytest.approx((0.8 + 0.5 + 0.7) / 3)


def test_tied_candidates_stand_in_any_order():
    # user 3's 4 and 6 are worth .2 and .4 and come first, either way round
    assert known_truth()["pair/test/true_click@1"] == pytest.approx((0.2 + 0.5 + 0.3) / 3)
    everything_tied = known_truth(Judge(click=torch.full((5, 7), 0.5)))
    assert everything_tied["pair/test/true_click@1"] == pytest.approx((0.2 + 0.3 + 0.4) / 3)
    assert everything_tied["pair/test/recall@1"] == pytest.approx((1 / 6 + 1 / 3 + 1 / 3) / 3)


def test_a_funnel_orders_by_its_product():
    results = measured(labels=("click", "buy"))
    # user 1: .18, .05 and .09 put item 3 last; the others' purchases are all as likely
    assert results["pair/test/recall@1"] == pytest.approx((0 + 1 + 0) / 3)
    named = known_truth(labels=("click", "buy"))
    assert "pair/test/true_click_buy@1" in named


def test_candidates_are_ordered_by_calibrated_probabilities():
    class Half(Calibration):
        """One probability for all."""

        def __init__(self):
            super().__init__({"rate": 0.5})

        def forward(self, logit: Tensor) -> Tensor:
            return self.rate.expand_as(logit)

        def fitted_state(self, logit: Tensor, label: Tensor) -> dict[str, float]:
            raise NotImplementedError

    assert measured(Judge(Half))["pair/test/recall@1"] == pytest.approx((1 / 6 + 1 / 3 + 1 / 3) / 3)


def test_what_the_pair_gains_is_counted_user_by_user(monkeypatch):
    for room in ("task.ranking.pair", "metric.per_user"):
        monkeypatch.setattr(f"recsys.{room}.FEWEST", 2)
    results = known_truth(intervals=200)
    for metric in ("recall@1", "ndcg@2", "true_click@2"):
        gain = results[f"pair/test/{metric}/gain"]
        assert gain == pytest.approx(results[f"pair/test/{metric}"] - results[f"pair/retriever/test/{metric}"])
        assert results[f"pair/test/{metric}/gain/low"] <= gain <= results[f"pair/test/{metric}/gain/high"]
    # users gain .1, .2 and .1 of worth at 1, while the values themselves go from .1 to .5: they differ more
    of_gain, of_value = (
        results[f"pair/test/true_click@1{end}/high"] - results[f"pair/test/true_click@1{end}/low"] for end in ("/gain", "")
    )
    assert of_gain < of_value
    assert not any(key.endswith(("/low", "/high")) for key in measured())


def test_a_catalogue_with_fewer_items_than_asked_for_leaves_places_empty():
    results = known_truth(num_candidates=10, ks=(6,))
    # user 1 has five items, worth 1.5, user 2 six worth 1.3 and user 3 five worth 1.9
    for order in ("pair/retriever", "pair", "pair/oracle", "pair/best"):
        assert results[f"{order}/test/true_click@6"] == pytest.approx((1.5 + 1.3 + 1.9) / 6 / 3)
    assert results["pair/test/recall@6"] == 1


def test_numbers_are_equal_for_every_chunk(monkeypatch):
    whole = known_truth(intervals=20)
    monkeypatch.setattr("recsys.task.ranking.pair.ROWS_PER_PASS", 5)
    monkeypatch.setattr("recsys.task.ranking.pair.TILE_USERS", 3)
    assert known_truth(intervals=20) == whole


def test_cutoffs_beyond_the_candidates_are_refused():
    with pytest.raises(ConfigError, match=r"ks=\[1, 4\] of 3 candidates"):
        pair(ks=(1, 4))
    with pytest.raises(ConfigError, match=r"ks is (.|\n)*not empty"):
        pair(ks=())


def test_a_prediction_that_is_no_number_is_refused():
    broken = CLICK.clone()
    broken[2, 5] = torch.nan
    with pytest.raises(NumericsError, match="predictions of 1 of 12 impressions hold NaN"):
        measured(Judge(click=broken))


class Measures(Callback):
    """Asks a pair at the end of the test."""

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.results = pair(intervals=20, truths={"oracle": Truth(TRUE)}).metrics(trainer, pl_module)


def run(users: int) -> dict[str, float]:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    callback, world = Measures(), int(os.environ.get("WORLD_SIZE", "1"))
    trainer = Trainer(accelerator="cpu", devices=world, callbacks=[callback], use_distributed_sampler=False, **quiet)
    trainer.test(Judge(), datamodule=Shop(users), verbose=False)
    return callback.results


@pytest.mark.slow
@pytest.mark.parametrize("users", [4, 1])  # of one user the second process gets none
def test_two_processes_give_the_numbers_of_one(tmp_path, users):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    shared |= {"TORCHELASTIC_RUN_ID": "test", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    ranks = [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    started = [subprocess.Popen([sys.executable, __file__, tmp_path / env["RANK"], str(users)], env=env) for env in ranks]
    assert [process.wait(timeout=120) for process in started] == [0, 0]
    alone = run(users)
    for rank in range(2):
        assert json.loads((tmp_path / str(rank)).read_text()) == alone


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(run(int(sys.argv[2]))))
