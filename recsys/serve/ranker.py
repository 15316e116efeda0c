"""Every label of raw rows. N rows."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recsys.serve.fields import USER, BadRow, history_columns, request_fields
from recsys.serve.golden import check_answers, prediction_faults
from recsys.serve.graph import load_graph
from recsys.serve.manifest import Bundle, read_bundle
from recsys.serve.requests import Ignored, Rows, by_column, opened, read

ROWS_PER_RUN = 4_096
"""Rows that one pass of the graph answers: bounds memory."""


class Ranker:
    """Predicts every label of raw rows: calibrated probabilities, or numbers.

    Args:
        folder: a bundle. Every file's sha256 is checked before any is used.
        threads: threads that one request may use.
        key, ignore_extra: see `Retriever`.
        bundle: files of the folder that are checked already.
    Attributes:
        labels: what is predicted: a label where the one it is given is 1, and behind it its funnel over all rows.
    Raises:
        BundleError: names the file; or this processor answers otherwise than the one of the export.
    """

    FILES = ("ranker.onnx", "schema.json")

    def __init__(
        self,
        folder: str | Path,
        threads: int = 1,
        *,
        key: str | Path | None = None,
        ignore_extra: bool = False,
        bundle: Bundle | None = None,
    ):
        self.manifest, files = bundle or read_bundle(Path(folder), keep=self.FILES, key=key)
        self.arguments = {"folder": Path(folder).absolute(), "threads": threads, "key": key, "ignore_extra": ignore_extra}
        self.extra = Ignored() if ignore_extra else None
        schema = json.loads(files["schema.json"])
        self.labels: list[str] = self.manifest["labels"]
        self.user_fields = request_fields(schema, "user")
        self.item_fields = request_fields(schema, "item")
        self.context_fields = request_fields(schema, "context")
        self.row_fields = {**self.item_fields, **self.context_fields}
        self.histories = history_columns(schema)
        self.graph = load_graph("ranker.onnx", files, threads)
        self.predict([{}])  # the first call is slower: it is made here
        check_answers("ranking", self.manifest, files, functools.partial(prediction_faults, self))

    def __reduce__(self) -> tuple:
        return opened, (Ranker, self.arguments)

    @property
    def ignored(self) -> list[str]:
        """Names of the fields that were left out, the first 100."""
        return [] if self.extra is None else self.extra.names

    def predict(self, rows: Rows, user: Mapping[str, Any] | None = None, *, errors: list[BadRow] | None = None) -> dict[str, list[float]]:
        """Every label of each row.

        Args:
            rows: one dict of raw features per row, or one dict of columns, or an arrow table; missing and unknown values as in
                `Retriever.recommend`. Columns as numpy arrays of the right type are the fastest.
            user: raw features of the one user of all rows, which then hold the others only.
            errors: takes what is wrong with rows, one for each bad field; their numbers are NaN, and the others are answered as without
                them. What is wrong with `user` has row -1, and all numbers are NaN.
        Returns:
            {label: one number per row}.
        Raises:
            BadRow: without `errors`, names the first bad row and its field, what was got and what is wanted.
            ValueError: what is asked is wrong as a whole.
        """
        fields = {**self.user_fields, **self.row_fields} if user is None else self.row_fields
        columns = by_column(rows, fields, self.extra)
        shared = {} if user is None else self._shared(user, errors)
        request = read(columns, fields, self.histories if user is None else [], errors)
        predicted = {label: np.full(columns.number, np.nan, np.float32) for label in self.labels}
        if shared is not None:
            for start in range(0, len(request.good), ROWS_PER_RUN):
                part = slice(start, start + ROWS_PER_RUN)
                feed = {column: values[part] for column, values in request.feed.items()}
                for label, values in zip(self.labels, self.graph.run(self.labels, {**shared, **feed})):
                    predicted[label][request.good[part]] = values
        return {label: values.tolist() for label, values in predicted.items()}

    def _shared(self, user: Mapping[str, Any], errors: list[BadRow] | None) -> dict[str, np.ndarray] | None:
        """Arrays of the one user; None where it is bad."""
        bad: list[BadRow] = []
        request = read(by_column([user], self.user_fields, self.extra), self.user_fields, self.histories, bad)
        if not bad:
            return request.feed
        faults = [BadRow(USER, *fault.args[1:]) for fault in bad]
        if errors is None:
            raise faults[0]
        errors += faults
        return None
