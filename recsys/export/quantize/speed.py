"""How long a request takes in one graph, over how long it takes in another.

A graph against itself gave .95 to 1.00 (retriever, 0.12 ms a request) and .94 to 1.01 (ranker of 200 candidates, 2.9 ms) in 30
measurements each on two busy cores, with standard deviations of .009 and .017: a ratio above 1.05 is not noise.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from onnxruntime import InferenceSession

WARM_UP = 30
REQUESTS = 400
"""Timed in each graph."""
Feed = Mapping[str, np.ndarray]
"""{input of a graph: [N, ...]}."""


def rows_of(feed: Feed, start: int, number: int) -> dict[str, np.ndarray]:
    """Up to `number` rows of every input, from `start` on."""
    return {column: values[start : start + number] for column, values in feed.items()}


def p50_ratio(before: InferenceSession, after: InferenceSession, outputs: Sequence[str], requests: Sequence[Feed]) -> float:
    """Median time of a request to `after`, over that to `before`.

    Both answer each request before the next one comes, and take turns in being first: what else the machine does meets both alike.

    Args:
        requests: one feed per call; taken in turn, from the start again where they are fewer than REQUESTS.
    """
    graphs = (before, after)
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + REQUESTS):
        feed = requests[number % len(requests)]
        for which in (0, 1) if number % 2 else (1, 0):
            start = time.perf_counter()
            graphs[which].run(outputs, feed)
            seconds[which].append(time.perf_counter() - start)
    return float(np.median(seconds[1][WARM_UP:]) / np.median(seconds[0][WARM_UP:]))
