import torch

from recsys.metric.funnel import Target
from recsys.task.ranking.evidence import predictions, row_mistakes


def test_every_test_row_has_its_user_labels_and_predictions(store):
    frame = predictions(store, {"click": torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64)})
    assert frame.to_dict(as_series=False) == {
        "user": ["ann", "ann", "bob", "bob", "cid"],
        "click": [0.0, 1.0, 1.0, 1.0, 0.0],
        "predicted/click": [0.1, 0.2, 0.3, 0.4, 0.5],
    }


CLICK = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0], dtype=torch.float64)


def target(predicted, rows=(True,) * 5, binary=True):
    return Target("click", binary, torch.tensor(rows), torch.tensor(predicted, dtype=torch.float64), CLICK)


def found(store, source, *targets):
    return [
        (row["kind"], row["predicted"], row["user"], row["item"]["id"]) for row in row_mistakes(store, source, list(targets))["mistakes"]
    ]


def test_the_most_certain_mistakes_of_both_kinds_come_first(store, source):
    assert found(store, source, target([0.2, 0.3, 0.9, 0.1, 0.7])) == [
        ("false alarm", 0.7, "cid", "e"),
        ("false alarm", 0.2, "ann", "b"),
        ("missed", 0.1, "bob", "c"),
        ("missed", 0.3, "ann", "d"),
        ("missed", 0.9, "bob", "a"),
    ]


def test_rows_that_a_label_does_not_concern_are_no_mistakes(store, source):
    rows = (False, True, False, False, True)
    assert [user for _, _, user, _ in found(store, source, target([0.2, 0.3, 0.9, 0.1, 0.7], rows))] == ["cid", "ann"]


def test_a_number_is_wrong_by_its_distance(store, source):
    kinds = found(store, source, target([5.0, 1.5, 1.0, 1.0, 0.0], binary=False))
    assert kinds[:2] == [("far off", 5.0, "ann", "b"), ("far off", 1.5, "ann", "d")]


def test_a_row_is_shown_with_its_raw_values(store, source):
    (mistake,) = row_mistakes(store, source, [target([0.2] * 5, (False, True, False, False, False))])["mistakes"]
    assert mistake["item"] == {"id": "d", "title": "Dates", "about": "fruit"}
    assert mistake["row"] == {
        "history": ["b", "c", "a"],
        "kind": "fruit",
        "tags": [],
        "price": None,
        "device": "phone",
        "time": "2024-01-13 06:30",
    }


def test_no_row_is_no_mistake(store, source):
    assert row_mistakes(store, source, [target([0.2] * 5, (False,) * 5)])["mistakes"] == []
