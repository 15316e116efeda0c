"""Requests as people send them, answered from a bundle whose user vector is the history, counted by item."""

import json

import numpy as np
import pyarrow as pa
import pytest

from recsys.export.publish import publishing, write_manifest
from recsys.serve import BadRow, BundleError, Retriever

IDS = ["a", "b", "c"]


def test_answers_are_the_best_items_with_their_scores(bundle):
    (answer,) = Retriever(bundle).recommend([{"history": ["c", "a", "c"]}], k=2)
    assert answer.items == ["c", "a"]
    assert answer.scores == [2.0, 1.0]


def test_columns_are_answered_like_rows(bundle):
    retriever = Retriever(bundle)
    lists = [["b"], [], np.array(["c"], dtype=object), None]
    assert retriever.recommend({"history": lists}) == retriever.recommend([{"history": entries} for entries in lists])


@pytest.mark.parametrize("row", [{}, {"history": None}, {"history": []}, {"history": ["never seen"]}])
def test_missing_empty_and_unknown_history_answer_in_catalogue_order(bundle, row):
    assert Retriever(bundle).recommend([row])[0].items == IDS


def test_most_recent_entries_of_a_long_history_count(bundle):
    (answer,) = Retriever(bundle).recommend([{"history": ["a", "a", "a", "a", "b", "b", "c"]}])
    assert answer == (["b", "c", "a"], [2.0, 1.0, 0.0])


def test_excluded_items_are_left_out_per_row(bundle):
    answers = Retriever(bundle).recommend([{"history": ["a"]}] * 3, k=3, exclude=[["a"], None, ["a", "b", "c", "never seen"]])
    assert [answer.items for answer in answers] == [["b", "c"], ["a", "b", "c"], []]


def test_k_above_the_catalogue_answers_the_whole_catalogue(bundle):
    assert Retriever(bundle).recommend([{}], k=10**9)[0].items == IDS


def test_no_rows_have_no_answers(bundle):
    assert Retriever(bundle).recommend([]) == []


def test_rows_beyond_one_pass_keep_their_order(bundle):
    answers = Retriever(bundle).recommend([{"history": [IDS[row % 3]]} for row in range(200)], k=1)
    assert [answer.items for answer in answers] == [[IDS[row % 3]] for row in range(200)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"history": "abc"}], r"row 0, 'history': got 'abc' \(str\); want a list"),
        ([{}, {"history": ["a", 7]}], r"row 1, 'history': got 7 \(int\); want a string"),
        ([{"history": ["\ud800"]}], "want a string that UTF-8 can hold"),
        ([{"hystory": ["a"]}], "row 0: got a field 'hystory'.*did you mean 'history'"),
        (["a"], r"row 0: got 'a' \(str\); want a dict"),
        ({"history": "abc"}, r"rows, 'history': got 'abc' \(str\); want a list"),
    ],
)
def test_wrong_request_is_refused_with_row_field_got_and_want(bundle, rows, message):
    with pytest.raises(ValueError, match=message):
        Retriever(bundle).recommend(rows)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, "3", None])
def test_k_that_is_no_positive_integer_is_refused(bundle, k):
    with pytest.raises(ValueError, match="'k': got"):
        Retriever(bundle).recommend([{}], k=k)


def test_exclude_of_another_length_is_refused(bundle):
    with pytest.raises(ValueError, match="got 1 lists for 2 rows"):
        Retriever(bundle).recommend([{}, {}], exclude=[["a"]])


def test_exclude_of_another_type_is_refused(bundle):
    with pytest.raises(ValueError, match=r"row 0, 'exclude': got 3 \(int\); want a string"):
        Retriever(bundle).recommend([{}], exclude=[[3]])


def test_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        Retriever(tmp_path)


def test_bundle_without_a_retriever_is_refused(tmp_path):
    with publishing(tmp_path / "bundle") as partial:
        (partial / "schema.json").write_text(json.dumps({}))
        write_manifest(partial, {})
    with pytest.raises(BundleError, match=r"holds no retriever\.onnx"):
        Retriever(tmp_path / "bundle")


def test_arrow_tables_are_answered_like_rows(bundle):
    retriever = Retriever(bundle)
    lists = [["b"], [], ["c", "c"], None]
    assert retriever.recommend(pa.table({"history": lists})) == retriever.recommend([{"history": entries} for entries in lists])


def test_rows_of_another_type_are_refused(bundle):
    with pytest.raises(ValueError, match=r"rows: got None \(NoneType\); want a list of dicts"):
        Retriever(bundle).recommend(None)


@pytest.mark.parametrize(
    "bad",
    [{"history": "abc"}, {"history": [7, 8]}, {"hystory": ["a"]}, "a", {"history": ["a"] * 9 + [b"a"]}],
)
def test_bad_row_is_listed_and_the_others_are_answered_as_without_it(bundle, bad):
    retriever, errors = Retriever(bundle), []
    good = [{"history": ["c"]}, {"history": ["b", "b"]}]
    first, none, last = retriever.recommend([good[0], bad, good[1]], exclude=[["a"], ["b"], None], errors=errors)
    assert none is None
    assert [first, last] == retriever.recommend(good, exclude=[["a"], None])
    assert [fault.row for fault in errors] == [1]


def test_every_bad_field_of_every_row_is_listed(bundle):
    errors = []
    answers = Retriever(bundle).recommend([{"history": 3, "age": 4}, {}, {}], exclude=[[2], None, [1, 2]], errors=errors)
    assert [answer is None for answer in answers] == [True, False, True]
    assert [(fault.row, fault.field) for fault in errors] == [(0, "age"), (0, "history"), (0, "exclude"), (2, "exclude")]


def test_first_bad_row_is_raised_with_its_parts(bundle):
    with pytest.raises(BadRow) as caught:
        Retriever(bundle).recommend([{}, {"history": [7]}, {"hystory": []}], exclude=[None, None, [8]])
    fault = caught.value
    assert (fault.row, fault.field, fault.got, fault.want) == (1, "history", "7 (int)", "a string")


def test_column_that_does_not_exist_is_refused_even_where_bad_rows_are_listed(bundle):
    with pytest.raises(ValueError, match=r"rows: got a field 'hystory'.*did you mean 'history'"):
        Retriever(bundle).recommend({"hystory": [["a"]]}, errors=[])


def test_only_bad_rows_have_only_empty_answers(bundle):
    assert Retriever(bundle).recommend([{"history": 1}] * 3, errors=[]) == [None] * 3


def test_search_that_does_not_exist_is_refused(bundle):
    with pytest.raises(ValueError, match=r"'search': got 'fast' \(str\); want one of \['exact', 'index'\]"):
        Retriever(bundle, search="fast")
