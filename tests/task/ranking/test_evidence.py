import torch

from recsys.task.ranking.evidence import predictions


def test_every_test_row_has_its_user_labels_and_predictions(store):
    frame = predictions(store, {"click": torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64)})
    assert frame.to_dict(as_series=False) == {
        "user": ["ann", "ann", "bob", "bob", "cid"],
        "click": [0.0, 1.0, 1.0, 1.0, 0.0],
        "predicted/click": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
