"""What parity accepts as a tie, and what it refuses."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from recsys.errors import ReleaseError
from recsys.export.bundle import load_vocabularies
from recsys.export.requests import requests
from recsys.task.retrieval.export.parity import expect, parity, wrong_list

# Scores for the user (1, 0): rows 1 and 4 are twins at .5; row 2 is one float32 step above row 3; row 5 is last.
ITEMS = np.array([[0, 0], [0.5, 1], [0.25 + 2**-25, 0], [0.25, 0], [0.5, 1], [0, 2]], dtype=np.float32)
USERS = np.array([[1, 0]], dtype=np.float32)


def right_list(k: int, excluded: tuple[int, ...] = ()):
    return expect(USERS, ITEMS, [np.array(excluded, dtype=np.int64)], k)[0]


def test_right_list_is_by_score_then_catalogue_order():
    assert right_list(5).items.tolist() == [1, 4, 2, 3, 5]


def test_right_list_leaves_out_excluded_items_and_may_be_shorter_than_k():
    assert right_list(5, excluded=(1, 3)).items.tolist() == [4, 2, 5]


def test_items_within_float_error_may_be_exchanged():
    assert wrong_list(np.array([1, 4, 3, 2, 5]), right_list(5)) is None


def test_item_within_float_error_may_replace_the_last_one():
    assert wrong_list(np.array([1, 4, 3]), right_list(3)) is None


def test_twins_may_not_be_exchanged():
    assert "ascending" in wrong_list(np.array([4, 1, 2]), right_list(3))


def test_later_twin_may_not_replace_the_earlier_one():
    assert "ascending" in wrong_list(np.array([4]), right_list(1))


@pytest.mark.parametrize(
    ("got", "fault"),
    [([1, 4, 5], "row 5, which is excluded or scores too little"), ([2, 1, 4], "row 2 at place 1"), ([1, 1, 4], "twice")],
)
def test_other_differences_are_refused(got, fault):
    assert fault in wrong_list(np.array(got), right_list(3))


def compare(example, folder):
    vocabularies = load_vocabularies(example.schema, example.path)
    generator = np.random.default_rng(0)
    return parity(
        folder,
        model=example.model,
        users=requests(example.user_features, example.schema.of("user"), example.schema, vocabularies, generator),
        items=requests(example.item_features, example.schema.of("item"), example.schema, vocabularies, generator),
        item_vectors=example.model.catalogue(example.item_features).numpy(),
        item_ids=example.item_ids,
        k=5,
    )


def changed_copy(example, tmp_path, name: str, change):
    folder = tmp_path / "bundle"
    shutil.copytree(example.bundle, folder)
    graph = onnx.load(folder / name)
    change(graph.graph)
    onnx.save(graph, folder / name)
    return folder


def test_untouched_bundle_passes(example):
    figures = compare(example, example.bundle)
    assert (figures["lists"], figures["identical_lists"], figures["exchanged_items"]) == (120, 120, 0)


def test_changed_item_vector_is_refused_with_the_row_named(example, tmp_path):
    def change(graph):
        catalogue = next(constant for constant in graph.initializer if tuple(constant.dims) == (8, 13))
        values = numpy_helper.to_array(catalogue).copy()
        values[0, 3] += 1e-2
        catalogue.CopyFrom(numpy_helper.from_array(values, catalogue.name))

    with pytest.raises(ReleaseError, match=r"item 103 the score(.|\n)*where: row \d+ in batches of 1: user_id="):
        compare(example, changed_copy(example, tmp_path, "retriever.onnx", change))


def test_other_vocabulary_in_the_graph_is_refused(example, tmp_path):
    def change(graph):
        encoder = next(node for node in graph.node if node.op_type == "LabelEncoder")
        keys = next(attribute for attribute in encoder.attribute if attribute.name == "keys_strings")
        keys.strings.reverse()

    with pytest.raises(ReleaseError, match=r"user_tower\.onnx gives a vector"):
        compare(example, changed_copy(example, tmp_path, "user_tower.onnx", change))


def test_graph_that_ignores_exclusion_is_refused(example, tmp_path):
    def change(graph):
        scatter = next(node for node in graph.node if node.op_type == "ScatterElements")
        only_padding = next(node for node in graph.node if node.output[0] == scatter.input[1]).input[0]
        updates = next(node for node in graph.node if node.output[0] == scatter.input[2])
        shape = next(node for node in graph.node if node.output[0] == updates.input[0])
        scatter.input[1] = shape.input[0] = only_padding

    with pytest.raises(ReleaseError, match="excluded or scores too little"):
        compare(example, changed_copy(example, tmp_path, "retriever.onnx", change))


def test_weight_that_is_not_a_number_is_refused(example, tmp_path):
    def change(graph):
        catalogue = next(constant for constant in graph.initializer if tuple(constant.dims) == (8, 13))
        values = numpy_helper.to_array(catalogue).copy()
        values[:, 3] = np.nan
        catalogue.CopyFrom(numpy_helper.from_array(values, catalogue.name))

    with pytest.raises(ReleaseError, match=r"retriever\.onnx"):
        compare(example, changed_copy(example, tmp_path, "retriever.onnx", change))


def test_requests_hold_unknown_missing_and_empty_values(example):
    vocabularies = load_vocabularies(example.schema, example.path)
    features = {column: values.repeat_interleave(20, 0) for column, values in example.user_features.items()}
    drawn = requests(features, example.schema.of("user"), example.schema, vocabularies, np.random.default_rng(0))
    unseen = ~np.isin(drawn.raw["user_id"].astype(str), ["u1", "u2", "ü3", ""])
    assert 0.05 < (drawn.raw["user_id"] == "").mean() < 0.6
    assert unseen.any()
    assert (drawn.index["user_id"].numpy()[unseen] == 1).all()
    emptied = (drawn.raw["history"] == -(2**63)).all(1) & (features["history"] != 0).any(1).numpy()
    assert 0 < emptied.mean() < 0.2
