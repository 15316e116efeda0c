"""What happens in the simulated shop: who visits when, what is shown, clicked and bought, and what was to be expected.

Legend: V visits, K slots of a page, U users, N items in shelf order, S shelves, W days, D taste dimensions.

    P(click | shown)      = examination(position) * attention(device) * E_z[sigmoid(appeal + a z)]
    P(conversion | click) = E_z[sigmoid(worth + b z) | click]
z = -1 or +1, at even odds, is the intent of the moment. No table shows it and it drives both, so clicked rows convert more often
than the same rows would if everyone had to click. Appeal and worth also share taste and the correlated traits of user, item and brand.
"""

from dataclasses import dataclass

import numpy as np

from recsys.source.shop_policy import SLOTS, Shelving, draw_pages, shelf_policy
from recsys.source.shop_world import Items, Users, category_vectors

DAY_US = 24 * 3600 * 1_000_000
VISITS_PER_BLOCK = 6_400
"""Visits drawn from one random stream, seeded by (seed, block); memory is that of one block, whatever the number of impressions."""

EXAMINATION = np.arange(1, SLOTS + 1, dtype=np.float32) ** np.float32(-0.55)  # by position
_ATTENTION = np.array([1.0, 0.85, 0.92], np.float32)  # by device, as in shop_words.DEVICES
_CLICK_INTENT, _BUY_INTENT = np.float32(0.6), np.float32(0.8)
_CLICK_BASE, _CLICK_TASTE = np.float32(-1.7), np.float32(1.0)
# The policy has used the taste of one's own to choose what is shown; among that, people alike click alike.
_OWN_IN_CLICK = np.float32(0.1)
_BUY_BASE, _BUY_MATCH = np.float32(-3.9), np.float32(0.5)
_BUY_ON_DEVICE = np.array([0.3, -0.3, 0.0], np.float32)
_WEEKDAY = np.array([0.95, 0.9, 0.92, 0.95, 1.05, 1.2, 1.25])  # from Monday
_GROWTH = 0.3  # of visits per day, from the first day to the last
_HOUR = np.array([5, 3, 2, 1, 1, 2, 4, 8, 12, 14, 15, 16, 18, 17, 15, 15, 16, 19, 24, 29, 32, 28, 19, 10], float)
_HOUR_UNTIL = np.concatenate([[0], np.cumsum(_HOUR) / _HOUR.sum()])  # [25] share of a day's visits before each hour


@dataclass(frozen=True)
class Calendar:
    """How many visits each day has, and when in the day.

    Attributes:
        visits_until: [days + 1] int64 visits before each day; the last entry is their number.
    """

    visits_until: np.ndarray

    @staticmethod
    def of(num_visits: int, days: int) -> "Calendar":
        """Weekly seasons and slow growth; the first day is a Monday."""
        day = np.arange(days)
        share = np.cumsum(_WEEKDAY[day % 7] * (1 + _GROWTH * day / days))
        return Calendar(np.concatenate([[0], np.round(num_visits * share / share[-1])]).astype(np.int64))

    def when(self, visits: np.ndarray, jitter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Day and microsecond of the day, int64 [V] each, of visit numbers [V]; ascending with them. `jitter` [V] is in [0, 1)."""
        day = np.searchsorted(self.visits_until, visits, side="right") - 1
        first, after = self.visits_until[day], self.visits_until[day + 1]
        hour = np.interp((visits - first + jitter) / (after - first), _HOUR_UNTIL, np.arange(25))
        return day, np.minimum((hour / 24 * DAY_US).astype(np.int64), DAY_US - 1)

    def expected(self, day: int, start: int, stop: int) -> float:
        """Visits on a day between two moments in microseconds since the first day, which may lie outside that day."""
        hours = np.clip([start / DAY_US - day, stop / DAY_US - day], 0, 1) * 24
        return float((self.visits_until[day + 1] - self.visits_until[day]) * np.diff(np.interp(hours, np.arange(25), _HOUR_UNTIL))[0])


@dataclass(frozen=True)
class Impressions:
    """Impressions of consecutive visits, [V * K] each, ordered by time, then position.

    Attributes:
        visit: int64 number of the visit; time: int64 microseconds since the first day; user, item, device: int64 indices.
        position: int64 from 1; propensity: float32 probability of this item in this slot under the policy.
        click_probability: float32 P(click | shown); conversion_probability: float32 P(conversion | clicked).
        conversion_if_click: float32 probability of a conversion if everyone had to click.
        click, conversion: int8, 0 or 1.
    """

    visit: np.ndarray
    time: np.ndarray
    user: np.ndarray
    item: np.ndarray
    device: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    click_probability: np.ndarray
    conversion_probability: np.ndarray
    conversion_if_click: np.ndarray
    click: np.ndarray
    conversion: np.ndarray


@dataclass(frozen=True)
class World:
    """One shop: who and what is in it, and when they meet. All it does is a pure function of `create`'s arguments."""

    seed: int
    num_visits: int
    calendar: Calendar
    users: Users
    items: Items

    @staticmethod
    def create(*, num_users: int, num_items: int, num_visits: int, days: int, seed: int) -> "World":
        """Draw users and items; milliseconds."""
        categories = category_vectors(np.random.default_rng([seed, 0]))
        users = Users.draw(np.random.default_rng([seed, 1]), num_users=num_users, days=days, categories=categories)
        items = Items.draw(np.random.default_rng([seed, 2]), num_items=num_items, days=days, categories=categories)
        return World(seed, num_visits, Calendar.of(num_visits, days), users, items)

    @property
    def num_blocks(self) -> int:
        """Blocks of VISITS_PER_BLOCK visits, the last one possibly shorter."""
        return -(-self.num_visits // VISITS_PER_BLOCK)

    def impressions(self, block: int) -> Impressions:
        """What happens in the visits of one block, from 0; only the last block is shorter than VISITS_PER_BLOCK."""
        rng = np.random.default_rng([self.seed, 3, block])
        visits = np.arange(block * VISITS_PER_BLOCK, min((block + 1) * VISITS_PER_BLOCK, self.num_visits))
        day, moment = self.calendar.when(visits, rng.random(len(visits)))
        user, device = self._visitors(rng, day)
        shared, own = self.users.shared[user], self.users.own_taste(day // 7, user)
        item, propensity = draw_pages(rng, self.items, day, shared + own)

        match = np.einsum("vd,vkd->vk", _CLICK_TASTE * (shared + _OWN_IN_CLICK * own), self.items.vector[item])  # [V, K]
        appeal = _CLICK_BASE + match + self.items.click[item] + self.users.click[user][:, None]
        worth = _BUY_BASE + _BUY_MATCH * match + self.items.buy[item] + (self.users.buy[user] + _BUY_ON_DEVICE[device])[:, None]
        looked = EXAMINATION * _ATTENTION[device][:, None]
        low, high = _sigmoid(appeal - _CLICK_INTENT), _sigmoid(appeal + _CLICK_INTENT)
        buy_low, buy_high = _sigmoid(worth - _BUY_INTENT), _sigmoid(worth + _BUY_INTENT)
        chance = rng.random((3, *item.shape), dtype=np.float32)
        intent = chance[0] < 0.5
        click = chance[1] < looked * np.where(intent, high, low)
        conversion = click & (chance[2] < np.where(intent, buy_high, buy_low))
        return Impressions(
            visit=np.repeat(visits, SLOTS),
            time=np.repeat(day * DAY_US + moment, SLOTS),
            user=np.repeat(user, SLOTS),
            item=item.ravel(),
            device=np.repeat(device, SLOTS),
            position=np.tile(np.arange(1, SLOTS + 1), len(visits)),
            propensity=propensity.ravel(),
            click_probability=(looked * (low + high) / 2).ravel(),
            conversion_probability=((low * buy_low + high * buy_high) / (low + high)).ravel(),
            conversion_if_click=((buy_low + buy_high) / 2).ravel(),
            click=click.astype(np.int8).ravel(),
            conversion=conversion.astype(np.int8).ravel(),
        )

    def _visitors(self, rng: np.random.Generator, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """User and device, int64 [V] each: users who have signed up by `day` [V], in proportion to their rates."""
        rate_until = np.cumsum(self.users.rate)
        signed_up = np.searchsorted(self.users.joined, day, side="right")
        user = np.searchsorted(rate_until, rng.random(len(day)) * rate_until[signed_up - 1], side="right")
        device = (rng.random(len(day))[:, None] > np.cumsum(self.users.device[user], axis=1)[:, :-1]).sum(axis=1)
        return user, device

    def click_if_shown(self, user: np.ndarray, day: np.ndarray, device: np.ndarray) -> np.ndarray:
        """P(click | shown) [V, N] float32 of every item, arrived by then or not: the mean over the slots of a page.

        Args:
            user: [V] int64, on `day` [V] int64.
            device: [V, devices] float32 probability of each device.
        """
        appeal = self._appeal(self._match(user, day), user)
        return EXAMINATION.mean() * (device @ _ATTENTION)[:, None] * _click_probability(appeal)

    def conversion_if_clicked(self, user: np.ndarray, day: np.ndarray, device: np.ndarray) -> np.ndarray:
        """P(conversion | click) [V, N] float32 of every item; arguments as of `click_if_shown`."""
        match = self._match(user, day)
        appeal = self._appeal(match, user)
        low, high = _sigmoid(appeal - _CLICK_INTENT), _sigmoid(appeal + _CLICK_INTENT)
        clicked_on = device * _ATTENTION  # a click is likelier where attention is
        conversion = np.zeros_like(match)
        for share, ease in zip((clicked_on / clicked_on.sum(axis=1, keepdims=True)).T, _BUY_ON_DEVICE):
            worth = _BUY_BASE + _BUY_MATCH * match + self.items.buy + (self.users.buy[user] + ease)[:, None]
            bought = low * _sigmoid(worth - _BUY_INTENT) + high * _sigmoid(worth + _BUY_INTENT)
            conversion += share[:, None] * bought / (low + high)
        return conversion

    def expected_clicks(self, user: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Expected clicks [U, N] float32 of users `user` [U] on every item between two moments, in microseconds since the first day.

        The sum over days of visits * policy * (examination of all slots) * attention * click probability, in closed form.
        """
        shared = self.users.shared[user]
        looks_per_visit = EXAMINATION.sum() * self.users.device[user] @ _ATTENTION  # [U]
        clicks = np.zeros((len(user), len(self.items.shelf)), np.float32)
        days = np.arange(max(start // DAY_US, 0), min(-(-stop // DAY_US), len(self.calendar.visits_until) - 1))
        for week in np.unique(days // 7):
            own = self.users.own_taste(np.full(len(user), week), user)
            on = days[days // 7 == week]
            visits = np.stack([self._expected_visits(day, start, stop)[user] for day in on])  # [W, U]
            appeal = self._appeal(self._match(user, np.full(len(user), 7 * week)), user)
            clicks += self._exposure(on, shared + own, visits * looks_per_visit) * _click_probability(appeal)
        return clicks

    def _match(self, user: np.ndarray, day: np.ndarray) -> np.ndarray:
        """How well every item suits a user's taste on a day, [V, N] float32."""
        own = self.users.own_taste(day // 7, user)
        return _CLICK_TASTE * (self.users.shared[user] + _OWN_IN_CLICK * own) @ self.items.vector.T

    def _appeal(self, match: np.ndarray, user: np.ndarray) -> np.ndarray:
        """Logit of a click on an item that is looked at, but for the intent of the moment, [V, N]."""
        return match + (_CLICK_BASE + self.items.click + self.users.click[user][:, None])

    def _expected_visits(self, day: int, start: int, stop: int) -> np.ndarray:
        """Visits [users] of everyone on one day within a period."""
        rate = self.users.rate * (self.users.joined <= day)
        return self.calendar.expected(day, start, stop) * rate / rate.sum()

    def _exposure(self, days: np.ndarray, taste: np.ndarray, visits: np.ndarray) -> np.ndarray:
        """Sum over days of visits [W, U] times policy, [U, N] float32; `taste` [U, D] holds on all of them."""
        shelving = Shelving.on(self.items, days)
        weight = np.diff(shelving.item_until).astype(np.float32)  # [W, N]
        policy = np.stack([shelf_policy(self.items, taste, shelving, np.full(len(taste), at)) for at in range(len(days))])  # [W, U, S]
        seen = policy * visits[:, :, None] / np.maximum(shelving.shelf, 1e-30)[:, None]
        seen = np.ascontiguousarray(seen.transpose(2, 1, 0), np.float32)  # [S, U, W], per unit of weight
        exposure = np.empty((len(taste), weight.shape[1]), np.float32)
        for shelf, (first, after) in enumerate(zip(self.items.shelf_start[:-1], self.items.shelf_start[1:])):
            np.matmul(seen[shelf], weight[:, first:after], out=exposure[:, first:after])
        return exposure


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _click_probability(appeal: np.ndarray) -> np.ndarray:
    """P(click | looked at), the mean over both intents; same shape as `appeal`."""
    return (_sigmoid(appeal - _CLICK_INTENT) + _sigmoid(appeal + _CLICK_INTENT)) / 2
