"""Which items a user's positive competes with. Q queries, N candidates, V rows of the item table (0 pads), D dim.

What `log_q` means. A loss wants sums over the whole catalogue, sum_j f(j), and sees only the candidates. Dividing each
candidate's term by the probability q that it is among them keeps the expected sum right (Horvitz-Thompson):
E[sum over candidates of f(j) / q_j] = sum over the catalogue of f(j). Candidates are distinct, so q is the probability of
being included at all, not the expected number of draws. For a softmax f = exp(score), hence `score - log_q`.

The catalogue is that of training: the `num_items` items with at least one training positive. An item that was never chosen, most often
because it arrives later, is nobody's negative, so that its side features alone decide how it is ranked.

Each sampler says what it holds fixed. Whatever is there for certain, given the batch, has log_q = 0:

    full      every item                                        log_q = 0
    uniform   the batch's positives, given                      log_q = 0
              and `num` items drawn from the catalogue          log_q = log(num / num_items)
    hard      as uniform; the mined items are given too         log_q = 0
    in_batch  positives, seen as Q draws by training share p    log_q = log(1 - (1 - p)^Q)
    queue     the same over Q + (ids in the queue) draws        log_q = log(1 - (1 - p)^(Q + queued))
    mixed     in_batch and `num_uniform` drawn items            log_q = log(1 - (1 - num_uniform / num_items) (1 - p)^Q)

Positives are counted as if each were drawn from training anew. An epoch draws without replacement: an item of c training positives among
n is missing from Q of them with probability C(n - c, Q) / C(n, Q), not (1 - c / n)^Q. The two agree where Q is a small part of n, and for
c = 1 exact is q = Q / n instead of 1 - (1 - 1 / n)^Q: larger by Q / (2 n) of itself, half a per cent where a step holds 1 % of an epoch.

mixed and uniform draw the same candidates. mixed has the smaller variance and trusts that positives arrive by training share;
uniform trusts its generator alone.
"""

import math
from abc import ABC, abstractmethod
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from recsys.seeds import seed_of


class Sampled(NamedTuple):
    """Candidates of one step.

    Attributes:
        items: [N] int64 item entity indices, distinct, ascending, never 0. Elsewhere than on a CPU, N is the same in every step, so that
            nothing waits for a length: 0 stands behind the items.
        log_q: [N] float32, log of the probability that the item is among the candidates of a step (0 = always there); +inf for a 0, whose
            term 1 / q is none.
        positive_at: [Q] int64, where each query's positive stands in `items`.
    """

    items: Tensor
    log_q: Tensor
    positive_at: Tensor


class Candidates(nn.Module, ABC):
    """Draws the candidates of a step as a pure function of (seed, step, rank) and the positives."""

    refresh_every = 0
    """Steps between two calls of `refresh`; 0 = never called."""

    @abstractmethod
    def sample(self, positives: Tensor, step: int, queries: Tensor) -> Sampled:
        """Candidates for one step; every positive is among them.

        Args:
            positives: [Q] int64 entity indices of items of the training catalogue, duplicates allowed.
            step: global step, the only source of randomness beside the seed and the rank.
            queries: [Q, D] the queries' current vectors, detached; only mining samplers read them.
        """

    def refresh(self, catalogue: Tensor) -> None:
        """Receives the current item vectors [V, D] (row 0 pads) every `refresh_every` steps."""


def step_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """Random numbers of this (seed, step, rank) on `device`; see `seed_of`.

    The global generator is neither read nor moved. CPU and CUDA generators give different draws for the same seed. It is the same object in
    every step: the next call seeds it anew.
    """
    rank = distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
    return _generator(device).manual_seed(seed_of(seed, step, rank))


@cache
def _generator(device: torch.device) -> torch.Generator:
    """The one generator of a device, which every step seeds anew."""
    return torch.Generator(device)


def draw_uniform(num: int, catalogue: Tensor, generator: torch.Generator) -> Tensor:
    """[min(num, num_items)] distinct items of a catalogue [num_items]; every set of that size is equally likely.

    Draws with replacement, keeps the distinct ones (all sets of their number are equally likely) and then a random `num` of them:
    time grows with num, not with the catalogue, as a random permutation of it would.
    """
    device, num_items = catalogue.device, len(catalogue)
    if 2 * num > num_items:
        return catalogue[torch.randperm(num_items, generator=generator, device=device)[:num]]
    if device.type != "cpu":
        return draw_at_once(num, catalogue, generator)
    # expected draws to see num distinct items, and a margin that makes a second round rare
    draws = int(-num_items * math.log1p(-num / num_items) + 6 * math.sqrt(num)) + 8
    places = torch.randint(num_items, (draws,), generator=generator, device=device).unique()
    while len(places) < num:
        more = torch.randint(num_items, (draws,), generator=generator, device=device)
        places = torch.cat([places, more]).unique()
    return catalogue[places[torch.randperm(len(places), generator=generator, device=device)[:num]]]


def draw_at_once(num: int, catalogue: Tensor, generator: torch.Generator) -> Tensor:
    """As `draw_uniform`, without a number that has to be read back from the device; for num <= num_items / 2.

    Of more draws than are needed the distinct ones get a random key, and the smallest `num` keys are kept. Where fewer than `num` draws
    are distinct, 8 standard deviations away, an item comes twice.
    """
    device, num_items = catalogue.device, len(catalogue)
    draws = int(-num_items * math.log1p(-num / num_items) + 8 * math.sqrt(num)) + 8
    places = torch.randint(num_items, (draws,), generator=generator, device=device).sort().values
    key = torch.rand(draws, generator=generator, device=device, dtype=torch.float64)  # float64: no two are equal
    repeated = F.pad(places[1:] == places[:-1], (1, 0))
    return catalogue[places[key.masked_fill(repeated, 2.0).argsort()[:num]]]


def trained_items(item_count: Tensor) -> Tensor:
    """[num_items] int64 entity indices of the items with a training positive, ascending; item_count [V] int64."""
    return item_count.nonzero().squeeze(1)


def merge(num_rows: int, positives: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct items of all groups, ascending and without 0 [N], and where each positive stands among them [Q].

    Elsewhere than on a CPU as `merge_at_fixed_length` gives them.
    """
    if positives.device.type != "cpu":
        return merge_at_fixed_length(num_rows, positives, *others)
    chosen = torch.zeros(num_rows, dtype=torch.bool, device=positives.device)
    for group in (positives, *others):
        chosen[group] = True
    chosen[0] = False
    items = chosen.nonzero().squeeze(1)
    place = torch.empty(num_rows, dtype=torch.int64, device=positives.device)
    place[items] = torch.arange(len(items), device=positives.device)
    return items, place[positives]


def merge_at_fixed_length(num_rows: int, positives: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """As `merge`, with as many items as the groups have entries, or the catalogue has items: 0 stands behind the distinct ones."""
    entries = torch.cat([positives, *others]).sort().values
    repeated = F.pad(entries[1:] == entries[:-1], (1, 0))
    items = entries.masked_fill(repeated | (entries == 0), num_rows).sort().values[: num_rows - 1]
    return items.masked_fill(items == num_rows, 0), torch.searchsorted(items, positives)


def without_padding(items: Tensor, log_q: Tensor) -> Tensor:
    """log_q [N], +inf where an item [N] is 0 and only fills up: no sum over 1 / q counts it."""
    return log_q.masked_fill(items == 0, torch.inf)


def log_absence(item_count: Tensor, *, at_least: int = 0) -> Tensor:
    """log(1 - p) [V] float32, the log probability that one positive is another item. p = an item's share of the training positives.

    Args:
        item_count: [V] int64 training positives of each item.
        at_least: smaller counts are raised to this; 1 where every candidate is a positive and so cannot have probability 0.
    """
    share = item_count.clamp_min(at_least).double() / item_count.sum().clamp_min(1)  # float64: 1 - p of rare items
    return torch.log1p(-share.clamp_max(1)).float()


def log_inclusion(log_missed: Tensor) -> Tensor:
    """log(1 - exp(log_missed)): the log probability of being drawn at all. expm1 keeps rare items exact in float32."""
    return torch.log(-torch.expm1(log_missed))
