"""Changes of all tasks, and sizes of all graphs."""

from recsys.export.quantize.measure import quantized
from recsys.export.section import Narrowed


def test_sizes_are_of_all_graphs(tmp_path):
    for folder, sizes in (("before", (5, 7)), ("after", (1, 2))):
        (tmp_path / folder).mkdir()
        for name, size in zip(("a.onnx", "b.onnx"), sizes):
            (tmp_path / folder / name).write_bytes(b"x" * size)
    found = quantized("int8_tables", tmp_path / "before", tmp_path / "after", [])
    assert (found.kind, found.bytes_before, found.bytes_after) == ("int8_tables", 12, 3)


def test_changes_of_all_tasks_stand_beside_each_other(tmp_path):
    lists = Narrowed({"recall@2": 0.5}, {"recall@2": 0.75}, {"retriever": 0.9}, {"same_items@2": 0.5}, {"user_tower": 0.1})
    labels = Narrowed({"click/auc": 0.5}, {"click/auc": 0.25}, {"ranker": 0.8})
    figures = quantized("x", tmp_path, tmp_path, [lists, labels])
    assert figures.float32 == {"recall@2": 0.5, "click/auc": 0.5}
    assert figures.loss == {"recall@2": 0.25, "click/auc": -0.25}
    assert figures.p50_ratio == {"retriever": 0.9, "ranker": 0.8}
    assert (figures.same_items, figures.vectors) == ({"same_items@2": 0.5}, {"user_tower": 0.1})
