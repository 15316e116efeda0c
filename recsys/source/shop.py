"""The embedded default data set: a simulated shop whose true probabilities are known."""

import hashlib
import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated

import numpy as np
import polars as pl
from annotated_types import Ge

from recsys.disk.folders import build_once
from recsys.disk.sums import SUMS, check_sums, write_sums
from recsys.ranges import Count, Seed, require_ranges
from recsys.source import shop_policy, shop_tables, shop_visits, shop_words, shop_world
from recsys.source.base import Oracle, Source, Tables, scan
from recsys.source.shop_tables import FIRST_ITEM_ID, FIRST_USER_ID, OPENING, write
from recsys.source.shop_visits import DAY_US, EXAMINATION, World

USERS_PER_CHUNK = 256
"""Scored at once: what is in between stays small, and in the processor's cache."""
LAWS = (shop_policy, shop_tables, shop_visits, shop_words, shop_world)
"""Modules whose text is part of a shop's name: data and oracle never come from different laws."""


class Shop(Source):
    """Users see pages of items chosen by a logging policy, click some, and buy some of those; see `shop_visits` for the laws.

    Interactions are impressions in order of time: visit_id, user_id, item_id, timestamp (of the page), device, position (from 1),
    propensity (of this item in this slot), click, conversion. Users sign up and items arrive during the whole period; tastes drift.
    The true probabilities lie in a table beside the data which no schema names.

    Everything is a pure function of the arguments except `folder`, whatever the number of cores.

    Args:
        num_users, num_items: at least 10 and 300; fewer items could not fill the first pages without showing one twice.
        num_impressions: rows of interactions.
        days: length of the simulation, from 2025-01-06 on.
        seed: of all that is random.
        folder: where shops are kept, each under a name made of its arguments; made at first use, about 20 bytes per impression.
    """

    def __init__(
        self,
        *,
        num_users: Annotated[int, Ge(10)],
        num_items: Annotated[int, Ge(300)],
        num_impressions: Count,
        days: Count,
        seed: Seed,
        folder: Path,
    ):
        require_ranges(Shop, locals())
        self.sizes = {"num_users": num_users, "num_items": num_items, "num_impressions": num_impressions, "days": days, "seed": seed}
        self.folder = folder

    def tables(self) -> Tables:
        """Impressions, users and items; simulates them if this shop is not in the folder yet."""
        place = self._made()
        names = {"interactions": "interactions-*.parquet", "users": "users.parquet", "items": "items.parquet"}
        files = {table: tuple(sorted(place.glob(name))) for table, name in names.items()}
        parts = {table: tuple(scan(file) for file in paths) for table, paths in files.items()}
        return Tables.from_parts(files, parts)

    def oracle(self) -> "ShopOracle":
        """The truth; simulates the shop if it is not in the folder yet."""
        place = self._made()
        return ShopOracle(self._world(), sorted(place.glob("oracle/*.parquet")), impressions=sorted(place.glob("interactions-*.parquet")))

    def _world(self) -> World:
        sizes = dict(self.sizes)
        return World.create(num_visits=-(-sizes.pop("num_impressions") // shop_policy.SLOTS), **sizes)

    def _made(self) -> Path:
        # numpy may change its random streams between versions
        content = hashlib.sha256(json.dumps([self.sizes, np.__version__]).encode())
        for module in LAWS:
            content.update(inspect.getsource(module).encode())
        place = Path(self.folder).expanduser() / f"shop-{content.hexdigest()[:16]}"
        with build_once(place) as building:
            if building is not None:
                write(self._world(), self.sizes["num_impressions"], building)
                write_sums(building)
        if (place / SUMS).exists():  # shops of older versions have none
            check_sums(place, f"remove that folder (rm -r {quote(str(place))}); the next run simulates it again")
        return place


class ShopOracle(Oracle):
    """True expected clicks of any user on any item, and true probabilities of every impression, which files hold in row order.

    Args:
        files: true probabilities of the impressions.
        impressions: the impressions themselves, in the same order.
    """

    def __init__(self, world: World, files: list[Path], *, impressions: list[Path]):
        self.world = world
        self.files = files
        self.impressions = impressions

    def scores(self, user_ids: np.ndarray, item_ids: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Expected clicks: the policy's exposure, times examination, times click probability; a ValueError for ids of another shop."""
        users, items = self._users(user_ids), self._items(item_ids)
        opening = int(OPENING.astype(np.int64))
        scores = np.empty((len(users), len(items)), np.float32)
        for chunk in _chunks(len(users)):
            scores[chunk] = self.world.expected_clicks(users[chunk], start - opening, stop - opening)[:, items]
        return scores

    def if_shown(
        self, label: str, user_ids: np.ndarray, item_ids: np.ndarray, *, moments: np.ndarray, context: Mapping[str, pl.Series]
    ) -> np.ndarray:
        """P(click | shown), the mean over the slots of a page, or P(conversion | click); a ValueError for ids of another shop.

        Of the context only `device` counts; where it is unknown, the user's own share of each device does.
        """
        true = {"click": self.world.click_if_shown, "conversion": self.world.conversion_if_clicked}[label]
        users, items = self._users(user_ids), self._items(item_ids)
        days = (moments - int(OPENING.astype(np.int64))) // DAY_US
        devices = self.world.users.device[users]
        if "device" in context:
            is_on = np.stack([(context["device"] == device).fill_null(False).to_numpy() for device in shop_words.DEVICES], axis=1)
            devices = np.where(is_on.any(axis=1, keepdims=True), is_on, devices)  # [U, devices]
        probability = np.empty((len(users), len(items)), np.float32)
        for chunk in _chunks(len(users)):
            probability[chunk] = true(users[chunk], days[chunk], devices[chunk])[:, items]
        return probability

    def probabilities(self, known: Collection[str]) -> pl.LazyFrame:
        """The truth of every impression, one row for each row of the interactions, in their order.

        Columns: user_id, item_id, timestamp (together a key), click_probability P(click | shown), conversion_probability
        P(conversion | clicked), conversion_if_click (P(conversion) if everyone had to click: the truth over all impressions). Without
        `position` among what is known, a click has the mean over all slots of a page, where each item is as likely to stand in any slot.
        """
        truth = pl.scan_parquet(self.files)
        if "position" in known:
            return truth
        mean_over_slots = pl.lit(pl.Series(EXAMINATION.mean() / EXAMINATION))
        position = pl.scan_parquet(self.impressions).select("position")
        rows = pl.concat([truth, position], how="horizontal")
        return rows.with_columns(pl.col("click_probability") * mean_over_slots.gather(pl.col("position") - 1)).drop("position")

    def _users(self, ids: np.ndarray) -> np.ndarray:
        return _index(ids, FIRST_USER_ID, len(self.world.users.rate), "user")

    def _items(self, ids: np.ndarray) -> np.ndarray:
        by_id = np.argsort(self.world.items.number)
        return by_id[_index(ids, FIRST_ITEM_ID, len(by_id), "item")]


def _chunks(users: int) -> Iterator[slice]:
    for first in range(0, users, USERS_PER_CHUNK):
        yield slice(first, first + USERS_PER_CHUNK)


def _index(ids: np.ndarray, first: int, number: int, entity: str) -> np.ndarray:
    index = np.asarray(ids, np.int64) - first
    if len(index) and not 0 <= index.min() <= index.max() < number:
        last = first + number - 1
        raise ValueError(f"this shop's {entity} ids are {first} to {last}, got {min(ids)} to {max(ids)}; pass ids of its own tables")
    return index
