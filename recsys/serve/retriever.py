"""Items of the whole catalogue for raw user features. B rows, K answers."""

import functools
import json
import numbers
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recsys.serve.fields import BadRow, history_columns, ids_field, is_list, request_fields, value_text
from recsys.serve.golden import check_answers, list_faults, score_faults
from recsys.serve.manifest import Bundle, read_bundle, read_manifest
from recsys.serve.requests import Columns, Ignored, Rows, by_column, opened, read
from recsys.serve.search import SEARCHES

ROWS_PER_RUN = 64
"""Rows that one pass of the graph answers: bounds memory at 64 scores per catalogue item."""
Excluded = Sequence[Sequence[Any] | None] | None
"""Per row the raw ids that must not be answered; None: none."""


class Answer(NamedTuple):
    """One row's recommendations, best first; equal scores stand in catalogue order.

    Attributes:
        items: up to k raw item ids.
        scores: the score of each.
    """

    items: list[str] | list[int]
    scores: list[float]


class Retriever:
    """Recommends items of the whole catalogue for raw user features.

    Args:
        folder: a bundle. Every file's sha256 is checked before any is used.
        threads: threads that one request may use.
        search: "exact" ranks every item inside retriever.onnx. "index" looks at the likely best ones with the bundle's index: faster on
            large catalogues, and it may miss some items or find fewer than k.
        key: public key (its text, or its file) whose owner has to have signed the bundle; None: it need not be signed.
        ignore_extra: leave out fields of requests that the model does not read; they are refused otherwise, as a misspelt one would count
            as missing.
        bundle: files of the folder that are checked already.
    Raises:
        BundleError: names the file; or this processor answers otherwise than the one of the export.

    A pickle holds these arguments alone: who reads it opens the folder, and checks it again.
    """

    def __init__(
        self,
        folder: str | Path,
        threads: int = 1,
        *,
        search: str = "exact",
        key: str | Path | None = None,
        ignore_extra: bool = False,
        bundle: Bundle | None = None,
    ):
        self.manifest, files = bundle or read_bundle(Path(folder), keep=self.files(folder, search), key=key)
        self.arguments = {"folder": Path(folder).absolute(), "threads": threads, "search": search, "key": key, "ignore_extra": ignore_extra}
        self.extra = Ignored() if ignore_extra else None
        self.schema = json.loads(files["schema.json"])
        items = self.manifest["items"]
        self.num_items: int = items["count"]
        self.fields = request_fields(self.schema, "user")
        self.histories = history_columns(self.schema)
        self.excluded = ids_field("exclude", items["dtype"])
        self.search = SEARCHES[search](self.manifest, files, threads)
        self.recommend([{}])  # the first call is slower: it is made here
        faults = list_faults if search == "exact" else score_faults
        check_answers("retrieval", self.manifest, files, functools.partial(faults, self))

    def __reduce__(self) -> tuple:
        return opened, (Retriever, self.arguments)

    @property
    def ignored(self) -> list[str]:
        """Names of the fields that were left out, the first 100."""
        return [] if self.extra is None else self.extra.names

    @staticmethod
    def files(folder: str | Path, search: str) -> tuple[str, ...]:
        """Files of a bundle that this search reads; a ValueError where there is no such search."""
        if search not in SEARCHES:
            raise ValueError(f"'search': got {value_text(search)}; want one of {list(SEARCHES)}")
        if search == "index" and "index" not in read_manifest(Path(folder)):
            raise ValueError(f"{folder} holds no index; export the run with index=hnsw, or use search='exact'")
        return (*SEARCHES[search].FILES, "schema.json")

    def recommend(self, rows: Rows, k: int = 10, exclude: Excluded = None, *, errors: list[BadRow] | None = None) -> list[Answer | None]:
        """The k best items of each row.

        Args:
            rows: one dict of raw features per row (for one user `[row]`), or one dict of columns, or an arrow table. None, NaN or an
                absent column is a missing value; values that training never saw are unknown; neither is an error. Of a history longer
                than the model reads, the most recent entries (the last) count. Lists are oldest first.
            k: answers per row; a row gets fewer only if the catalogue has no more.
            exclude: per row the raw ids that must not be answered; ids outside the catalogue are ignored.
            errors: takes what is wrong with rows, one for each bad field; their answers are None, and the others are answered as
                without them.
        Raises:
            BadRow: without `errors`, names the first bad row and its field, what was got and what is wanted.
            ValueError: what is asked is wrong as a whole.
        """
        columns = by_column(rows, self.fields, self.extra)
        check_count("k", k)
        fields = {**self.fields, "exclude": self.excluded}
        request = read(with_exclude(columns, exclude), fields, self.histories, errors)
        answers: list[Answer | None] = [None] * columns.number
        for row, (items, scores) in zip(request.good, self.find(request.feed, k)):
            answers[row] = Answer(items.tolist(), scores.tolist())
        return answers

    def find(self, feed: Mapping[str, np.ndarray], k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Up to K raw ids and scores of each row of checked arrays, `exclude` among them."""
        for start in range(0, len(feed["exclude"]), ROWS_PER_RUN):
            chunk = {name: values[start : start + ROWS_PER_RUN] for name, values in feed.items()}
            exclude = chunk.pop("exclude")
            for items, scores in zip(*self.search.find(chunk, exclude, min(k, self.num_items))):
                left = scores > -np.inf
                yield items[left], scores[left]


def check_count(name: str, count: Any) -> None:
    """A ValueError where an argument is no number of answers."""
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
        raise ValueError(f"'{name}': got {value_text(count)}; want an integer of at least 1")


def with_exclude(columns: Columns, exclude: Any) -> Columns:
    """The columns and `exclude`, one list per row."""
    if exclude is None:
        exclude = [None] * columns.number
    if not is_list(exclude):
        raise ValueError(f"'exclude': got {value_text(exclude)}; want one list per row (None for nothing to exclude)")
    if len(exclude) != columns.number:
        raise ValueError(f"'exclude': got {len(exclude)} lists for {columns.number} rows; want one per row (None for nothing to exclude)")
    return columns._replace(values={**columns.values, "exclude": exclude})
