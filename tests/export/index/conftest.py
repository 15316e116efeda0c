"""A catalogue small enough to search by hand, and large enough for a graph."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def vectors():
    """[401, 8] float32 of length 1; row 0 pads."""
    drawn = np.random.default_rng(0).standard_normal((401, 8)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn[0] = 0
    return drawn


@pytest.fixture(scope="session")
def queries():
    """[50, 8] float32."""
    return np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)


@pytest.fixture(scope="session")
def best():
    """The k largest inner products by float64 brute force: scores, and catalogue positions, ties by the lower one."""

    def searched(vectors, queries, k):
        scores = queries.astype(np.float64) @ vectors[1:].astype(np.float64).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, 1), order + 1

    return searched
