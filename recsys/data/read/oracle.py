"""The truth of a simulated world, by entity index and by row. B users, V = num_items + 1 catalogue rows, N rows of a split."""

import numpy as np
import polars as pl
import torch
from torch import Tensor

from recsys.batch import Truth
from recsys.data.read.rows import SPLITS, first_rows
from recsys.data.store import Store
from recsys.schema import Schema
from recsys.source.base import Oracle, Source


class CatalogueOracle:
    """Scores of the catalogue by an `Oracle`, which knows raw ids, in the period start : stop of the test, microseconds since 1970 UTC.

    An evaluation reads it like a baseline.
    """

    def __init__(self, oracle: Oracle, store: Store, *, start: int, stop: int):
        self.oracle = oracle
        self.user_ids, self.item_ids = _raw_ids(store)
        self.start, self.stop = start, stop

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """[B] user entity indices -> [B, V] float32 true expected positives; column 0 is 0. `known` plays no part."""
        scores = torch.from_numpy(self.oracle.scores(self.user_ids[user.numpy() - 1], self.item_ids, self.start, self.stop))
        return torch.nn.functional.pad(scores, (1, 0))  # [B, V]


class FirstPageOracle:
    """Probability of every label of a funnel for every item, had it been shown to users when the test split first showed them something."""

    def __init__(self, oracle: Oracle, store: Store, labels: tuple[str, ...]):
        self.oracle = oracle
        self.store = store
        self.labels = labels
        self.rows = first_rows(store, "test")
        self.user_ids, self.item_ids = _raw_ids(store)
        known = [feature.column for feature in store.schema.of("context") if feature.is_category and feature.keeps_vocabulary]
        self.vocabularies = {column: store.vocabulary(column) for column in known}  # what was hashed stays unknown

    def scores(self, user: Tensor, known: Tensor) -> Tensor:
        """[B] entity indices of users with a test row -> [B, V] float32 probabilities; column 0 is 0. `known` plays no part."""
        row = self.rows[user]
        moments = self.store.time[row].numpy()
        context = {column: values[self.store.context_features[column][row].numpy()] for column, values in self.vocabularies.items()}
        request = {"user_ids": self.user_ids[user.numpy() - 1], "item_ids": self.item_ids, "moments": moments, "context": context}
        scores = np.prod([self.oracle.if_shown(label, **request) for label in self.labels], axis=0)
        return torch.nn.functional.pad(torch.from_numpy(scores), (1, 0))  # [B, V]


def _raw_ids(store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Raw ids of users and of items by entity index from 1; index 0 is null, which would turn integers into floats."""
    return store.user_ids[1:].to_numpy(), store.item_ids[1:].to_numpy()


def oracle_of_test(source: Source, store: Store) -> CatalogueOracle | None:
    """The oracle of the test period; None where there is none, or where the split has no period."""
    oracle = source.oracle()
    if oracle is None or store.boundaries is None:
        return None
    return CatalogueOracle(oracle, store, start=store.boundaries["test"], stop=store.boundaries["end"])


def oracles_of_candidates(source: Source, store: Store, labels: tuple[str, ...]) -> dict[str, CatalogueOracle | FirstPageOracle]:
    """Truths to order candidates by; none where nothing is known, or where the split has no period.

    Returns:
        {"oracle": by the probability if shown, "exposed_oracle": by the positives to be expected in the test, given what is shown then}.
    """
    expected = oracle_of_test(source, store)
    return {} if expected is None else {"oracle": FirstPageOracle(expected.oracle, store, labels), "exposed_oracle": expected}


def impressions_of_test(source: Source, store: Store) -> Truth | None:
    """The true probabilities of the test rows, in the order of their outcomes; None where there is no truth, or rows lack a key."""
    oracle, schema, key_of_time = source.oracle(), store.schema, store.schema.time
    if oracle is None or schema.user is None or schema.item is None or key_of_time is None:  # the key of the truth
        return None
    rows = (store.split == SPLITS["test"]).nonzero().squeeze(1)
    keys = {schema.user: store.user_ids[store.user[rows].numpy()], schema.item: store.item_ids[store.item[rows].numpy()]}
    keyed = pl.DataFrame(keys | {key_of_time: store.time[rows].numpy()})
    served, bias = ([feature.column for feature in schema.of(*entities)] for entities in (("user", "item", "context"), ("bias",)))

    def of_rows(known: list[str]) -> pl.DataFrame:
        """True probabilities of the rows for who knows these columns."""
        truth = oracle.probabilities(known).with_columns(pl.col(key_of_time).dt.epoch("us"))
        true = keyed.lazy().join(truth, on=list(keyed.columns), how="left", maintain_order="left").collect()
        assert len(true) == len(keyed), "the truth has one row per impression"
        return true

    true = of_rows(served)
    forced = {label.column: _tensor(true, f"{label.column}_if_{label.given}") for label in schema.labels if label.given is not None}
    return Truth(_by_label(true, schema), forced, _by_label(of_rows([*served, *bias]), schema) if bias else {})


def _by_label(true: pl.DataFrame, schema: Schema) -> dict[str, Tensor]:
    return {label.column: _tensor(true, f"{label.column}_probability") for label in schema.labels}


def _tensor(frame: pl.DataFrame, column: str) -> Tensor:
    return torch.from_numpy(frame[column].cast(pl.Float64).to_numpy(writable=True))
