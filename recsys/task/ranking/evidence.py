"""What the test of a ranking run leaves for reports and comparisons: predictions of every row, and the worst of them. N rows."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from torch import Tensor

from recsys.data.read.rows import SPLITS
from recsys.data.store import Store
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.metric.funnel import targets
from recsys.run.directory import DATA, EXAMPLES, PREDICTIONS
from recsys.source.base import Source
from recsys.task.evidence import described_data, write_document, write_table
from recsys.task.ranking.mistakes import row_mistakes


def write_evidence(run: Path, store: Store, source: Source, *, name: str, predicted: Mapping[str, Tensor]) -> None:
    """Write predictions.parquet, examples.json and data.json.

    Args:
        name: of the data config.
        predicted: {label: [N] float64} of the test rows, calibrated.
    """
    labels = {column: values[store.split == SPLITS["test"]] for column, values in store.labels.items()}
    write_table(predictions(store, predicted), run / PREDICTIONS)
    write_document(row_mistakes(store, source, targets(store.schema.labels, predicted, labels)), run / EXAMPLES)
    copy_raw_categories(store, run)
    write_document(described_data(store, name, rows=True), run / DATA)


def predictions(store: Store, predicted: Mapping[str, Tensor]) -> pl.DataFrame:
    """Each test row: the raw id of its user, where rows name one, each label, and `predicted/<label>`.

    Args:
        predicted: {label: [N] float64} calibrated, in the order of the store's test rows.
    """
    rows = (store.split == SPLITS["test"]).nonzero().squeeze(1)
    columns = [] if store.schema.user is None else [store.user_ids.gather(store.user[rows].numpy()).alias(store.schema.user)]
    columns += [pl.Series(label, values[rows].numpy()).fill_nan(None) for label, values in store.labels.items()]
    return pl.DataFrame([*columns, *(pl.Series(f"predicted/{label}", values.numpy()) for label, values in predicted.items())])
