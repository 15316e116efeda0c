"""Retrieve, drop what was seen, rank, answer. M candidates, V items."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from recsys.serve.fields import BadRow, Field, Value, history_columns, ids_field
from recsys.serve.kinds import BY_DTYPE
from recsys.serve.manifest import read_bundle
from recsys.serve.ranker import Ranker
from recsys.serve.requests import Columns, Rows, Table, by_column, choices, read
from recsys.serve.retriever import Answer, Excluded, Retriever, check_count, with_exclude

SEEN = "seen/"
"""Before the name of a history column: all its items, to be left out."""


class Recommender:
    """Finds candidates in the whole catalogue and orders them by a label of the ranker.

    Args:
        folder: a bundle of a retriever and a ranker. Every file's sha256 is checked before any is used.
        items: raw item features of the catalogue with the id column: one dict per item, a dict of columns or an arrow table. Other
            columns are ignored; an item that is not listed is ranked by its id, its other features count as missing.
        label: of `Ranker.labels`, whose value orders the answers; by default the first.
        num_candidates: items that are retrieved for a row and ranked.
        threads: threads that one request may use.
        search, key, ignore_extra: see `Retriever`. A pickle holds the catalogue, and opens the folder again.
    Raises:
        BundleError: names the file; or this processor answers otherwise than the one of the export.
        ValueError: names the column or row of `items`, or the label.
    """

    def __init__(
        self,
        folder: str | Path,
        items: Rows,
        *,
        label: str | None = None,
        num_candidates: int = 200,
        threads: int = 1,
        search: str = "exact",
        key: str | Path | None = None,
        ignore_extra: bool = False,
    ):
        check_count("num_candidates", num_candidates)
        bundle = read_bundle(Path(folder), keep=(*Retriever.files(folder, search), *Ranker.FILES), key=key)
        self.retriever = Retriever(folder, threads, search=search, key=key, ignore_extra=ignore_extra, bundle=bundle)
        self.ranker = Ranker(folder, threads, key=key, ignore_extra=ignore_extra, bundle=bundle)
        if label is not None and label not in self.ranker.labels:
            raise ValueError(f"'label': got {label!r}; want {choices(label, self.ranker.labels)}")
        self.label = self.ranker.labels[0] if label is None else label
        self.num_candidates = num_candidates
        column, dtype = (self.retriever.manifest["items"][fact] for fact in ("column", "dtype"))
        self.catalogue = Catalogue(items, column, dtype, self.ranker.item_fields)
        self.seen = {f"{SEEN}{history}": ids_field(history, dtype) for history in history_columns(self.retriever.schema, of=column)}
        self.recommend([{}])  # the first call is slower: it is made here

    @property
    def ignored(self) -> list[str]:
        """Names of the fields that were left out, the first 100."""
        return self.retriever.ignored

    def recommend(
        self, rows: Rows, k: int = 10, exclude: Excluded = None, *, exclude_seen: bool = True, errors: list[BadRow] | None = None
    ) -> list[Answer | None]:
        """The k best of each row's candidates; scores are the label's probability (or number), equal ones keep the retriever's order.

        Args:
            rows: raw features of the user and of the context (device, time of the request), as in `Retriever.recommend`.
            k: answers per row; a row gets fewer only if fewer candidates are left. Above `num_candidates`, k candidates are retrieved.
            exclude: per row the raw ids that must not be answered.
            exclude_seen: leave out the items of the row's history too, all that are sent, also those that the model is too short to
                read. False where a repeated purchase is a good answer.
            errors: as in `Retriever.recommend`.
        Raises:
            BadRow, ValueError: as in `Retriever.recommend`.
        """
        context = self.ranker.context_fields
        columns = with_exclude(by_column(rows, {**self.retriever.fields, **context}, self.retriever.extra), exclude)
        check_count("k", k)
        columns.values.update({name: columns.values[name.removeprefix(SEEN)] for name in self.seen})
        fields = {**self.retriever.fields, **context, **self.seen, "exclude": self.retriever.excluded}
        feed, good = read(columns, fields, self.retriever.histories, errors)
        seen = [feed.pop(name) for name in self.seen]
        if exclude_seen:
            feed["exclude"] = np.concatenate([feed["exclude"], *seen], axis=1)
        users = {column: values for column, values in feed.items() if column not in context}
        answers: list[Answer | None] = [None] * columns.number
        for at, (items, _) in enumerate(self.retriever.find(users, max(k, self.num_candidates))):
            answers[good[at]] = self._ranked(items, {column: values[at : at + 1] for column, values in feed.items()}, k)
        return answers

    def _ranked(self, items: np.ndarray, row: Mapping[str, np.ndarray], k: int) -> Answer:
        """The k best of these candidates [M] for one row of checked arrays."""
        if not len(items):
            return Answer([], [])
        user = {column: row[column] for column in self.ranker.user_fields}
        context = {column: np.repeat(row[column], len(items), axis=0) for column in self.ranker.context_fields}
        (values,) = self.ranker.graph.run([self.label], {**user, **context, **self.catalogue.features(items)})
        best = np.argsort(-values, kind="stable")[:k]
        return Answer(items[best].tolist(), values[best].tolist())


class Catalogue:
    """Raw item features of a catalogue, checked once: those of any ids in one gather per column. V items, M of them asked for.

    Args:
        items: one dict per item, a dict of columns or an arrow table; columns that are not asked for are ignored.
        column: of the ids.
        dtype: raw type of the ids: "string" or "int64".
        fields: {column: field} of the features.
    Raises:
        ValueError: names a column that is missing, or an item with a bad value, without an id or with the id of another.
    """

    def __init__(self, items: Rows, column: str, dtype: str, fields: Mapping[str, Field]):
        self.column, self.fields = column, fields
        columns = _selected_columns(items, {column: None, **fields})
        bad: list[BadRow] = []
        ids = Value(column, BY_DTYPE[dtype]).array(columns.values[column], bad).tolist()
        self.arrays = {}
        for name, field in fields.items():
            if name != column:  # one more row, of the missing value
                values = field.array(columns.values[name], bad)
                self.arrays[name] = np.concatenate([values, np.broadcast_to(field.array([None], bad), (1, *values.shape[1:]))])
        if bad:
            raise bad[0]
        self.position = {item: at for at, item in enumerate(ids)}
        if BY_DTYPE[dtype].missing in self.position:
            raise ValueError(f"items: got row {self.position[BY_DTYPE[dtype].missing]} without '{column}'; want an id in every row")
        if len(self.position) < len(ids):
            twice = next(item for at, item in enumerate(ids) if self.position[item] != at)
            raise ValueError(f"items: got '{column}' {twice!r} more than once; want one row per item")

    def features(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """{column: [M] or [M, L]} of these raw ids; the missing value for an id that is not in the catalogue."""
        at = np.fromiter((self.position.get(item, -1) for item in ids.tolist()), np.int64, len(ids))  # -1: the last row is missing
        features = {name: values[at] for name, values in self.arrays.items()}
        return {**features, self.column: ids} if self.column in self.fields else features


def _selected_columns(items: Rows, names: Collection[str]) -> Columns:
    if isinstance(items, Table):
        items = items.to_pydict()
    if isinstance(items, Mapping):
        present, items = set(items), {name: values for name, values in items.items() if name in names}
    else:
        present = {name for row in items for name in row}
        items = [{name: row[name] for name in names if name in row} for row in items]
    missing = [name for name in names if name not in present]
    if missing and len(items):
        names = choices(missing[0], present)
        raise ValueError(f"items: got no column '{missing[0]}'; want the raw item features of the catalogue: {names}")
    return by_column(items, names)
