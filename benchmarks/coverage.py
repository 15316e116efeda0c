"""How often a 95 % interval holds the truth, by metric and number of users, in simulated populations whose truth is known.

Users of a retriever have a taste of their own: most find nothing, some much. Rows of a ranker come in users, whose base rate and number of
rows differ, and the model is not calibrated. Where a metric has too few users for an interval in half of the repeats, none is counted.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from benchmarks.base import options, show
from recsys.metric.impressions import Impressions, impressions
from recsys.metric.interval import FEWEST, difference_intervals
from recsys.metric.per_user import intervals
from recsys.metric.ranking import METRICS, Ranking

USERS = (10, 20, 50, 200, 1_000, 3_000)
K = 20
TASTES = {"rare": 0.002, "usual": 0.02, "good": 0.15}
"""Chance that a position of a list is a hit, on average over users."""
RATES = {"2 %": -4.6, "8 %": -2.7, "40 %": -0.5}
"""Base log odds of a label by its about share."""
Draw = Callable[[int, float, np.random.Generator], np.ndarray]
TRUTH = 400_000
"""Users whose mean is the truth."""
SPAN_ROWS = 8
"""Rows of a user, on average."""


def lists(users: int, taste: float, rng: np.random.Generator) -> Ranking:
    """Lists of users without ties: each position holds one of 1 to 12 relevant items by the user's own chance."""
    chance = rng.beta(0.5, 0.5 / taste - 0.5, users)
    # popular items stand first: the chance falls along the list and keeps its mean
    slope = np.linspace(1.6, 0.4, K)
    hits = rng.random((users, K)) < np.minimum(chance[:, None] * slope, 1)
    total = np.maximum(hits.sum(1), rng.integers(1, 13, users))
    ones, offset = torch.ones(users, K, dtype=torch.int64), torch.zeros(users, K, dtype=torch.int64)
    return Ranking(ones, offset, torch.from_numpy(hits).long(), torch.from_numpy(total))


def by_user(users: int, taste: float, rng: np.random.Generator) -> np.ndarray:
    """[users, metrics] values of each user in every metric that is a mean over users."""
    ranking = lists(users, taste, rng)
    return torch.cat([metric.measure(ranking, [K]) for metric in METRICS], 1).numpy()


def gains(users: int, taste: float, rng: np.random.Generator) -> np.ndarray:
    """[users, metrics] differences of two models whose hits agree for four users of five."""
    one, two = by_user(users, taste, rng), by_user(users, taste * 1.1, rng)
    return np.where(rng.random(users)[:, None] < 0.8, 0.0, one - two)


def shown_rows(users: int, base: float, rng: np.random.Generator) -> Impressions:
    """Impressions of users with a base rate of their own, and a model that knows a part of it."""
    user = np.repeat(np.arange(users), rng.geometric(1 / SPAN_ROWS, users))
    own, feature = rng.normal(0, 0.7, users)[user], rng.normal(0, 0.8, len(user))
    label = rng.random(len(user)) < 1 / (1 + np.exp(-(base + own + feature)))
    predicted = 1 / (1 + np.exp(-(base + 0.1 + 0.9 * feature + 0.2 * own)))
    columns = (torch.from_numpy(column) for column in (predicted, label, user))
    probability, actual, owner = columns
    return impressions(probability, actual.long(), user=owner, ks=[5])


def coverage_of_means(sizes: Sequence[int], taste: float, repeats: int) -> dict[int, dict[str, float]]:
    """{users: {metric: share of repeats whose interval of the mean holds the truth}}."""
    names = [f"{metric.name}@{K}" for metric in METRICS]
    truth = dict(zip(names, _truth(by_user, taste)))

    def hold(values: np.ndarray) -> list[bool]:
        bounds = intervals(torch.from_numpy(values), names)
        return [low <= truth[name] <= high for name, (low, high) in bounds.items()]

    return {users: dict(zip(names, _shares(hold, by_user, taste, users, repeats))) for users in sizes}


def coverage_of_gains(sizes: Sequence[int], taste: float, repeats: int) -> dict[int, dict[str, float]]:
    """As `coverage_of_means`, of the differences of two models."""
    truth = _truth(gains, taste)

    def hold(values: np.ndarray) -> list[bool]:
        low, high = difference_intervals(values)
        return ((low <= truth) & (truth <= high)).tolist()

    names = [f"{metric.name}@{K}" for metric in METRICS]
    return {users: dict(zip(names, _shares(hold, gains, taste, users, repeats))) for users in sizes}


def coverage_of_rows(sizes: Sequence[int], base: float, repeats: int) -> dict[int, dict[str, float]]:
    """As `coverage_of_means`, of the metrics of impressions; NaN for those without an interval in half of the repeats."""
    whole = shown_rows(TRUTH // 4, base, np.random.default_rng(0))
    truth = whole.measure(np.ones(whole.num_units, np.int64))
    shares = {}
    for users in sizes:
        rng, held = np.random.default_rng(users), {name: [] for name in truth if not name.startswith("ece")}
        for _ in range(repeats):
            for name, (low, high) in shown_rows(users, base, rng).intervals()[0].items():
                held[name].append(low <= truth[name] <= high)
        shares[users] = {name: float(np.mean(those)) if len(those) > repeats / 2 else np.nan for name, those in held.items()}
    return shares


def _truth(draw: Draw, taste: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.mean([draw(TRUTH // 20, taste, rng).mean(0) for _ in range(20)], 0)


def _shares(hold: Callable[[np.ndarray], list[bool]], draw: Draw, taste: float, users: int, repeats: int) -> list[float]:
    rng = np.random.default_rng(users)
    return np.mean([hold(draw(users, taste, rng)) for _ in range(repeats)], 0).tolist()


def main(arguments: list[str]) -> None:
    """Print the tables."""
    parser = options("coverage", __doc__)
    parser.add_argument("--repeats", type=int, default=2_000, help="samples of each size; 2,000 give a share within .01")
    parser.add_argument("--users", type=int, nargs="+", default=USERS)
    given = parser.parse_args(arguments)
    repeats, sizes = given.repeats, [users for users in given.users if users >= FEWEST]
    for name, taste in TASTES.items():
        _show(f"means over users, {name} hits", given.users, coverage_of_means(sizes, taste, repeats))
    _show("differences of two models, usual hits", given.users, coverage_of_gains(sizes, TASTES["usual"], repeats))
    for name, base in RATES.items():
        _show(f"rows in users, {name} positive", given.users, coverage_of_rows(sizes, base, repeats))


def _show(title: str, sizes: Sequence[int], shares: dict[int, dict[str, float]]) -> None:
    texts = []
    for metric in next(iter(shares.values())):
        values = [shares[users][metric] if users in shares else np.nan for users in sizes]
        texts.append([metric, *("too few" if np.isnan(value) else f"{value:.3f}" for value in values)])
    show(f"Coverage of 95 % intervals: {title}", ("metric", *(f"{users:,} users" for users in sizes)), texts)
