"""Who lives in the simulated shop: users, shelves and items, with the latent traits that no table shows.

Legend: U users, N items, S shelves, D taste dimensions. A shelf holds the items of one brand in one category.
Axis 0 of taste space is price: a vector's place on it is how dear a thing is, a taste's how much a user minds or likes that.
"""

from dataclasses import dataclass

import numpy as np

from recsys.source import shop_words as words

DIM = 8
BRAND_CATEGORIES = 6
"""Categories in which each brand sells; shelves = brands * this."""
INTERESTS = 3
"""Interests a user can declare at sign-up, at most."""

_ATTRIBUTE_SPREAD = {"country": 0.45, "age_band": 0.6, "membership": 0.3}
_LASTING_SPREAD, _DRIFT_SPREAD, _DRIFT_RADIANS_PER_WEEK = 0.5, 0.6, 0.12
_USER_TRAITS, _ITEM_TRAITS, _BRAND_TRAITS = (0.07, 0.3), (0.1, 0.3), (0.35, 0.4)  # spread of click and of buy, in logits
_TRAIT_CORRELATION = 0.5
_BRAND_IN_SHELF, _STYLE_IN_ITEM, _ITEM_OWN = 0.7, 0.15, 0.08  # lengths beside the category's, which is 1
_NEW_USER_SHARE, _NEW_ITEM_SHARE = 0.3, 0.4
_NEW_ITEM_BOOST, _NEW_ITEM_DAYS = 1.5, 10.0


@dataclass(frozen=True)
class Users:
    """Users in order of sign-up.

    Attributes:
        country, age_band, membership: [U] int64 codes into `shop_words`; interests: [U, 3] codes of categories, -1 for none.
        joined: [U] int64 day of sign-up, ascending; negative = before the first day.
        rate: [U] visits per day, up to a common factor.
        shared: [U, D] float32 taste that follows from the attributes.
        lasting, drift_from, drift_to: [U, D] float32 taste of one's own; drift_speed: [U] float32 radians per week.
        click, buy: [U] float32 ease of clicking and of buying (logits), correlated.
        device: [U, devices] float32 probability of each device.
    """

    country: np.ndarray
    age_band: np.ndarray
    membership: np.ndarray
    interests: np.ndarray
    joined: np.ndarray
    rate: np.ndarray
    shared: np.ndarray
    lasting: np.ndarray
    drift_from: np.ndarray
    drift_to: np.ndarray
    drift_speed: np.ndarray
    click: np.ndarray
    buy: np.ndarray
    device: np.ndarray

    @staticmethod
    def draw(rng: np.random.Generator, *, num_users: int, days: int, categories: np.ndarray) -> "Users":
        """Draw users; `categories` [C, D] are the vectors that interests are told by."""
        attributes = {
            "country": rng.choice(len(words.COUNTRIES), num_users, p=words.COUNTRY_SHARES),
            "age_band": rng.choice(len(words.AGE_BANDS), num_users, p=words.AGE_SHARES),
            "membership": rng.choice(len(words.MEMBERSHIPS), num_users, p=words.MEMBERSHIP_SHARES),
        }
        shared = np.zeros((num_users, DIM))
        for column, codes in attributes.items():
            effects = rng.normal(0, _ATTRIBUTE_SPREAD[column], (codes.max() + 1, DIM))[codes]
            shared += effects - effects.mean(axis=0)
        lasting = rng.normal(0, _LASTING_SPREAD, (num_users, DIM)).astype(np.float32)
        drift_from, drift_to = rng.normal(0, _DRIFT_SPREAD, (2, num_users, DIM)).astype(np.float32)
        # Gumbel noise: the order of the sums is a draw without replacement in proportion to exp(taste @ category)
        liking = (shared + lasting + drift_from) @ categories.T * 1.5 + rng.gumbel(size=(num_users, len(categories)))
        interests = np.argsort(-liking, axis=1)[:, :INTERESTS]
        declared = rng.choice(INTERESTS + 1, num_users, p=(0.3, 0.25, 0.25, 0.2))
        click, buy = _traits(rng, num_users, _USER_TRAITS)
        favourite = rng.choice(len(words.DEVICES), num_users, p=words.DEVICE_SHARES)
        return Users(
            **attributes,
            interests=np.where(np.arange(INTERESTS) < declared[:, None], interests, -1),
            joined=np.sort(_first_days(rng, num_users, days, _NEW_USER_SHARE)),
            rate=rng.lognormal(0, 0.9, num_users),
            shared=shared.astype(np.float32),
            lasting=lasting,
            drift_from=drift_from,
            drift_to=drift_to,
            drift_speed=rng.gamma(2, _DRIFT_RADIANS_PER_WEEK / 2, num_users).astype(np.float32),
            click=click,
            buy=buy + np.float32(0.25) * attributes["membership"].astype(np.float32),
            device=(0.25 * np.array(words.DEVICE_SHARES) + 0.75 * np.eye(len(words.DEVICES))[favourite]).astype(np.float32),
        )

    def own_taste(self, week: np.ndarray, users: np.ndarray) -> np.ndarray:
        """Taste of one's own [V, D] of `users` [V] in `week` [V]: part of it turns from one vector towards another."""
        angle = (self.drift_speed[users] * week.astype(np.float32))[:, None]
        return self.lasting[users] + np.cos(angle) * self.drift_from[users] + np.sin(angle) * self.drift_to[users]


@dataclass(frozen=True)
class Items:
    """Items in shelf order; a shelf's items are neighbours.

    Attributes:
        number: [N] int64 rank by arrival, from 0: the order in which ids were given.
        shelf: [N] int64 ascending; arrival: [N] int64 day, negative = before the first day.
        price: [N] float64 in euro; style, colour: [N] int64 codes into `shop_words`.
        vector: [N, D] float32; popularity: [N] float64.
        click, buy: [N] float32 attraction and worth beyond taste (logits), correlated.
        shelf_vector: [S, D] float32; shelf_category, shelf_brand: [S] int64 codes; shelf_start: [S + 1] int64 bounds into the items.
    """

    number: np.ndarray
    shelf: np.ndarray
    arrival: np.ndarray
    price: np.ndarray
    style: np.ndarray
    colour: np.ndarray
    vector: np.ndarray
    popularity: np.ndarray
    click: np.ndarray
    buy: np.ndarray
    shelf_vector: np.ndarray
    shelf_category: np.ndarray
    shelf_brand: np.ndarray
    shelf_start: np.ndarray

    @staticmethod
    def draw(rng: np.random.Generator, *, num_items: int, days: int, categories: np.ndarray) -> "Items":
        """Draw items; `categories` [C, D] are the vectors that shelves are made of."""
        num_brands = len(words.BRANDS)
        sold = np.argsort(rng.random((num_brands, len(categories))), axis=1)[:, :BRAND_CATEGORIES]
        shelf_category, shelf_brand = sold.ravel(), np.repeat(np.arange(num_brands), BRAND_CATEGORIES)
        tier = rng.normal(0, 0.6, num_brands)
        shelf_vector = categories[shelf_category] + _BRAND_IN_SHELF * _unit(rng, num_brands)[shelf_brand]
        shelf_vector /= np.linalg.norm(shelf_vector, axis=1, keepdims=True)
        shelf_vector[:, 0] = tier[shelf_brand]

        shelf = np.sort(rng.choice(len(shelf_brand), num_items, p=rng.dirichlet(np.full(len(shelf_brand), 3.0))))
        arrival = _first_days(rng, num_items, days, _NEW_ITEM_SHARE)
        style = rng.integers(0, len(words.STYLES), num_items)
        vector = shelf_vector[shelf] + _STYLE_IN_ITEM * _unit(rng, len(words.STYLES))[style] + _ITEM_OWN * _unit(rng, num_items)
        dearness = tier[shelf_brand[shelf]] + rng.normal(0, 0.4, num_items)
        vector[:, 0] = dearness
        click, buy = _traits(rng, num_items, _ITEM_TRAITS)
        brand_click, brand_buy = _traits(rng, num_brands, _BRAND_TRAITS)
        return Items(
            number=np.argsort(np.argsort(arrival, kind="stable")),
            shelf=shelf,
            arrival=arrival,
            price=np.round(np.array(words.TYPICAL_PRICES)[shelf_category[shelf]] * np.exp(0.5 * dearness), 2),
            style=style,
            colour=rng.integers(0, len(words.COLOURS), num_items),
            vector=vector.astype(np.float32),
            # cut at 2.2 deviations: in a small catalogue no single item may be due on every page
            popularity=np.exp(np.clip(rng.normal(0, 1.0, num_items), -2.2, 2.2)),
            click=click + brand_click[shelf_brand[shelf]],
            buy=buy + brand_buy[shelf_brand[shelf]] - (0.35 * dearness).astype(np.float32),
            shelf_vector=shelf_vector.astype(np.float32),
            shelf_category=shelf_category,
            shelf_brand=shelf_brand,
            shelf_start=np.searchsorted(shelf, np.arange(len(shelf_brand) + 1)),
        )

    def weight_on(self, days: np.ndarray) -> np.ndarray:
        """Exposure weight [days, N] float64: popularity, higher while an item is new; 0 before its arrival."""
        age = days[:, None] - self.arrival
        return np.where(age >= 0, self.popularity * (1 + _NEW_ITEM_BOOST * np.exp(-np.maximum(age, 0) / _NEW_ITEM_DAYS)), 0)


def category_vectors(rng: np.random.Generator) -> np.ndarray:
    """Directions [C, D] of the categories in taste space; none of them is dear or cheap as such."""
    return _unit(rng, len(words.CATEGORIES))


def _first_days(rng: np.random.Generator, rows: int, days: int, new_share: float) -> np.ndarray:
    """Day [rows] int64 of sign-up or arrival: `new_share` of them within the simulated days, the others in the year before."""
    day = np.where(rng.random(rows) < new_share, rng.integers(0, days, rows), -rng.integers(1, 366, rows))
    day[0] = -1  # never nobody on the first day
    return day


def _unit(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Random directions [rows, D] that leave the price axis at 0."""
    vectors = rng.standard_normal((rows, DIM))
    vectors[:, 0] = 0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _traits(rng: np.random.Generator, rows: int, spreads: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated normal traits with these standard deviations, [rows] float32 each."""
    click, buy = rng.standard_normal((2, rows))
    buy = _TRAIT_CORRELATION * click + np.sqrt(1 - _TRAIT_CORRELATION**2) * buy
    return (spreads[0] * click).astype(np.float32), (spreads[1] * buy).astype(np.float32)
