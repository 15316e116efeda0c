"""Vectors as trained two-tower models have them, in any number: clustered, around a mean, of a decaying spectrum. V rows, N users, D dim.

Independent Gaussian vectors have no neighbourhoods, so approximate search looks hopeless on them; a few tight clusters flatter it. These
are set after the item vectors of trained models (shop, MovieLens-1M, Yelp2018): their mean has a length of .2 to .6, their variances
weigh as much as 10 to 50 equal dimensions would, the nearest item has a cosine of .8 to .95, the hundredth of about .6.
"""

import numpy as np

ITEMS_PER_CLUSTER = 100
"""On average; the largest clusters have some ten times as many."""
SPREAD = 0.6
"""Spread of items around the centre of their cluster, as a share of the spread of centres."""
MEAN = 0.4
"""Length of the mean, where the centres have 1."""
INTERESTS = 3
"""Items whose mixture a user looks for."""


def vectors(num_items: int, num_users: int, *, dim: int = 64, norm_spread: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Item vectors by catalogue index, and user vectors to ask for them; the score is the inner product.

    Args:
        num_items: V - 1, at least 1.
        num_users: N; each looks for a random mixture of three items, off the places where items are, as users of real models do.
        norm_spread: standard deviation of the logarithm of the items' lengths; 0 gives unit vectors, so the score is the cosine.
    Returns:
        [V, D] float32 with zeros in row 0, and [N, D] float32 of length 1.
    """
    generator = np.random.default_rng(seed)
    deviations = np.arange(1, dim + 1) ** -0.5  # variances fall as 1, 1/2, 1/3, ...
    deviations /= np.linalg.norm(deviations)
    turn = np.linalg.qr(generator.standard_normal((dim, dim)))[0] * deviations  # directions that are no axes

    def random_vectors(number: int) -> np.ndarray:
        return (generator.standard_normal((number, dim), dtype=np.float32) @ turn.T.astype(np.float32)).astype(np.float32)

    centres = random_vectors(max(num_items // ITEMS_PER_CLUSTER, 1))
    centres += MEAN * turn.sum(1) / np.linalg.norm(turn.sum(1))
    share = np.arange(1, len(centres) + 1) ** -0.5
    cluster = generator.choice(len(centres), num_items, p=share / share.sum())
    items = np.zeros((num_items + 1, dim), np.float32)
    items[1:] = unit(centres[cluster] + SPREAD * random_vectors(num_items))
    wanted = generator.integers(1, num_items + 1, (num_users, INTERESTS))
    weight = generator.dirichlet(np.ones(INTERESTS), num_users).astype(np.float32)
    users = unit(np.einsum("ni,nid->nd", weight, items[wanted]) + 0.3 * random_vectors(num_users))
    items[1:] *= np.exp(norm_spread * generator.standard_normal((num_items, 1))).astype(np.float32)
    return items, users


def unit(rows: np.ndarray) -> np.ndarray:
    """[N, D] rows of length 1, float32."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
