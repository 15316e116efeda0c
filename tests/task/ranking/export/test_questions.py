"""What came of a row, and where it counts, by hand."""

import torch

from recsys.schema import Label, Numeric, Schema
from recsys.task.ranking.export.questions import RowQuestions, targets

SCHEMA = Schema("user", "item", features=(Numeric("x", "user"),), labels=(Label("buy"), Label("spend", given="buy", kind="regression")))
LABELS = {"buy": torch.tensor([1.0, 0.0, 1.0]), "spend": torch.tensor([5.0, torch.nan, torch.nan])}


def counted(kind):
    return {name: (values.nan_to_num(-1).tolist(), rows.tolist()) for name, (values, rows) in targets(SCHEMA, LABELS, kind).items()}


def test_targets_are_of_labels_of_one_kind():
    assert counted("binary") == {"buy": ([1, 0, 1], [True, True, True])}
    # who buys nothing spends nothing, whether or not it was written down
    assert counted("regression") == {"spend": ([5, -1, -1], [True, False, False]), "buy_spend": ([5, 0, 0], [True, True, False])}


def test_a_narrow_ranker_is_measured_on_both_kinds():
    labels, numbers = (RowQuestions({}, LABELS, None).truth(SCHEMA, kind) for kind in ("binary", "regression"))
    assert [*labels, *numbers] == ["buy", "spend", "buy_spend"]
    assert numbers["spend"][0] == 5
