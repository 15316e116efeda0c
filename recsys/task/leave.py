"""What a finished test leaves in the run directory, for reports and comparisons: tables, examples, and facts of the data."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from recsys.data.store import Store
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.disk import write_whole
from recsys.metric.funnel import targets
from recsys.source.base import Source
from recsys.task.ranking.mistakes import row_mistakes
from recsys.task.retrieval.examples import EXAMPLES, user_examples
from recsys.task.tables import ITEM_VECTORS, PER_USER, PREDICTIONS, item_vectors, per_user, predictions, write_table
from recsys.task.tested import DATA, described_data


def leave_lists(
    run: Path,
    store: Store,
    source: Source,
    *,
    name: str,
    values: Mapping[str, Tensor],
    recommended: Tensor,
    exclude_known: bool,
    items: Tensor,
    vectors: Tensor,
) -> None:
    """The files of a retrieval run.

    Args:
        name: of the data config.
        values, recommended: as `CatalogueEvaluation` keeps them by user.
        exclude_known: as it was told.
        items, vectors: entity indices, and [items, D], of some items.
    """
    measured = {key.removeprefix("test/"): column for key, column in values.items() if key.startswith("test/") and key != "test/user"}
    examples = user_examples(
        store, source, users=values["test/user"], recommended=recommended, measured=measured, exclude_known=exclude_known
    )
    write_table(per_user(store, values), run / PER_USER)
    write_table(item_vectors(store, source, items, vectors), run / ITEM_VECTORS)
    _write(examples, run / EXAMPLES)
    _write(described_data(store, name, rows=False), run / DATA)
    copy_raw_categories(store, run)


def leave_predictions(run: Path, store: Store, source: Source, *, name: str, predicted: Mapping[str, Tensor]) -> None:
    """The files of a ranking run.

    Args:
        name: of the data config.
        predicted: {label: [N] float64} of the test rows, calibrated.
    """
    table = predictions(store, predicted)
    labels = {column: values[store.split == 2] for column, values in store.labels.items()}
    write_table(table, run / PREDICTIONS)
    _write(row_mistakes(store, source, targets(store.schema.labels, predicted, labels)), run / EXAMPLES)
    _write(described_data(store, name, rows=True), run / DATA)
    copy_raw_categories(store, run)


def _write(document: dict[str, Any], path: Path) -> None:
    write_whole(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
