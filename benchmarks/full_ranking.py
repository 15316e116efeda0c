"""Ranking the whole catalogue for every user, as an evaluation does, beside the bare matrix product. U users, V = items + 1 rows, D dim."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.base import composed, options, show
from benchmarks.clock import now
from benchmarks.memory import forget_peak, memory
from recsys.batch import Catalogue, UserBatch
from recsys.config import build
from recsys.metric.scores import TILE_USERS, DotProduct
from recsys.metric.top_k import top_k
from recsys.run.hardware import build_trainer
from recsys.task.retrieval.evaluation import CatalogueEvaluation

DIM, K = 64, 20
RELEVANT_PER_USER = 10


def main(arguments: list[str]) -> None:
    """Rank and measure; the table."""
    parser = options("full_ranking", __doc__)
    parser.add_argument("--users", type=int, default=31_668, help="(default: %(default)s, as Yelp2018 has)")
    parser.add_argument("--items", type=int, default=38_048, help="(default: %(default)s)")
    parser.add_argument("--known", type=int, default=1_240_000, help="user-item pairs never recommended (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="of train.py, such as trainer=gpu")
    chosen = parser.parse_args(arguments)
    config = composed(f"task.evaluation.ks=[{K}]", f"task.evaluation.slice_ks=[{K}]", *chosen.overrides)
    evaluation: CatalogueEvaluation = build(config.task).evaluation(oracle=None)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build_trainer(config.trainer)(callbacks=[evaluation], logger=False, default_root_dir=scratch)
        device = trainer.strategy.root_device
        world = World.random(chosen.users, chosen.items, chosen.known, config.loader["eval_batch_size"], device)
        before = memory("VmRSS")
        lists_s, lists_peak = measured(lambda: world.rank(evaluation.item_chunk))
        evaluation_s, evaluation_peak = measured(lambda: trainer.validate(Vectors(world), datamodule=Users(world), verbose=False))
    product_s, _ = measured(world.multiply)
    rows = [
        ("matrix product alone", f"{product_s:.2f} s", "1.0", ""),
        (f"best {K} of each user, ties counted", f"{lists_s:.2f} s", f"{lists_s / product_s:.1f}", mebibytes(lists_peak - before)),
        (
            "evaluation: these and all metrics",
            f"{evaluation_s:.2f} s",
            f"{evaluation_s / product_s:.1f}",
            mebibytes(evaluation_peak - before),
        ),
    ]
    title = f"Full ranking, {chosen.users:,} users x {chosen.items:,} items of {DIM} dimensions, {device.type}"
    notes = (
        f"{chosen.known:,} known pairs are masked. Memory is what vectors and pairs do not take.",
        "Goal: lists at Yelp2018's size in at most 10 s and 1 GiB on 2 cores.",
    )
    show(title, ("", "time", "/ product", "memory"), rows, notes)


def measured(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds of one call, and bytes that this process held at most meanwhile."""
    forget_peak()
    started = now()
    work()
    return now() - started, memory("VmHWM")


def mebibytes(number: int) -> str:
    """As the table shows it."""
    return f"{number / 2**20:,.0f} MiB"


@dataclass(frozen=True)
class World:
    """Vectors [U + 1, D] and [V, D], whose row 0 pads, and users in batches with their known and relevant pairs."""

    users: Tensor
    items: Tensor
    batches: list[UserBatch]

    @classmethod
    def random(cls, num_users: int, num_items: int, num_known: int, batch_size: int, device: torch.device) -> "World":
        """Normal vectors; every user knows equally many items and looks for RELEVANT_PER_USER others, give or take repetitions."""
        generator = torch.Generator().manual_seed(0)
        users, items = (torch.randn(number + 1, DIM, generator=generator).to(device) for number in (num_users, num_items))
        batches = []
        for user in torch.arange(1, num_users + 1).split(batch_size):
            share = round(num_known / num_users * len(user))
            pairs = [_pairs(number, len(user), num_items, generator).to(device) for number in (share, RELEVANT_PER_USER * len(user))]
            batches.append(UserBatch({}, user.to(device), known=pairs[0], relevant=pairs[1]))
        return cls(users, items, batches)

    def rank(self, item_chunk: int) -> None:
        """The best K items of every user."""
        for batch in self.batches:
            scores = DotProduct(self.users[batch.user], self.items)
            top_k(scores, K, known=batch.known, relevant=batch.relevant, item_chunk=item_chunk)

    def multiply(self) -> None:
        """Every score once, kept nowhere."""
        scores = self.users.new_empty(TILE_USERS, len(self.items))
        for users in self.users[1:].split(TILE_USERS):
            torch.mm(users, self.items.T, out=scores[: len(users)])


def _pairs(number: int, num_rows: int, num_items: int, generator: torch.Generator) -> Tensor:
    """[2, <= number] distinct random pairs (row, item), sorted."""
    key = torch.randint(num_rows * num_items, (number,), generator=generator).unique()
    return torch.stack([key // num_items, key % num_items + 1])


class Vectors(LightningModule):
    """Stands for a trained model: its vectors are there already."""

    def __init__(self, world: World):
        super().__init__()
        self.world = world

    def item_vectors(self) -> Tensor:
        """[V, D]."""
        return self.world.items

    def validation_step(self, batch: UserBatch, batch_idx: int) -> Tensor:
        """[B, D]."""
        return self.world.users[batch.user]


class Users(LightningDataModule):
    """Stands for a store: its users are in batches already."""

    def __init__(self, world: World):
        super().__init__()
        self.world = world
        self.catalogue = Catalogue({}, torch.ones(len(world.items), dtype=torch.int64))

    def val_dataloader(self) -> DataLoader[UserBatch]:
        """Every user once."""
        return DataLoader(self.world.batches, batch_size=None)
