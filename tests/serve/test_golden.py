"""A bundle that answers otherwise on this processor is refused when it is opened."""

import json

import pytest

from recsys.serve import BundleError, Ranker, Recommender, Retriever
from recsys.serve.golden import FLAGS, processor, processor_words, score_faults

GRAPHS = ("retriever.onnx", "user_tower.onnx", "ranker.onnx")
LIST = {"history": ["c", "c", "b"], "tags": None, "exclude": ["a"], "answer/items": ["c", "b"], "answer/scores": [2.0, 1.0]}
PREDICTION = {"history": None, "item_id": "a", "price": 2.0, "device": "app", "answer/click": 0.7, "answer/buy": 0.3}
EXPORT = {"processor": {"model": "Xeon", "flags": ["avx2", "avx512_vnni"]}, "versions": {"onnxruntime": "1.2.3"}}


def bundle_with(written, folder, lists=LIST, prediction=PREDICTION, tolerance=1e-4):
    """A bundle whose golden requests have these answers."""
    golden = {
        "retrieval": {"tolerance": tolerance, "requests": [lists]},
        "ranking": {"tolerance": tolerance, "requests": [prediction]},
    }
    return written(folder, GRAPHS, lambda partial: (partial / "golden.json").write_text(json.dumps(golden)), **EXPORT)


def test_bundle_that_answers_as_it_did_opens(written, tmp_path):
    bundle = bundle_with(written, tmp_path / "bundle")
    assert Retriever(bundle).recommend([{"history": ["b"]}], k=1)[0].items == ["b"]
    assert Ranker(bundle).labels == ["click", "buy"]
    assert Recommender(bundle, {"item_id": ["a"], "price": [1]}).label == "click"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"answer/scores": [2.1, 1.0]}, "item 'c' with score 2.0 at place 1, golden is 'c' with 2.1"),
        ({"answer/items": ["b", "c"]}, "item 'c' with score 2.0 at place 1, golden is 'b' with 2.0"),
        ({"answer/items": ["c"], "answer/scores": [1.9]}, "item 'c' with score 2.0 at place 1, golden is 'c' with 1.9"),
    ],
)
def test_another_list_is_refused_with_both_processors_and_the_remedy(written, tmp_path, monkeypatch, changes, what):
    monkeypatch.setattr("recsys.serve.golden.processor", lambda: {"model": "EPYC", "flags": ["avx2"]})
    bundle = bundle_with(written, tmp_path / "bundle", lists=LIST | changes)
    for opened in (lambda: Retriever(bundle), lambda: Recommender(bundle, {"item_id": ["a"], "price": [1]})):
        with pytest.raises(BundleError) as error:
            opened()
        for fact in (what, "here: EPYC (avx2)", "export: Xeon (avx2, avx512_vnni), onnxruntime 1.2.3", "export the run again on"):
            assert fact in str(error.value)
    Ranker(bundle)  # whose own answers are right


def test_another_prediction_is_refused(written, tmp_path):
    bundle = bundle_with(written, tmp_path / "bundle", prediction=PREDICTION | {"answer/buy": 0.3002})
    with pytest.raises(BundleError, match=r"ranking request 0: predicts 'buy' 0.3\d*, golden is 0.3002"):
        Ranker(bundle)
    Retriever(bundle)


def test_difference_within_the_tolerance_of_the_bundle_opens(written, tmp_path):
    Ranker(bundle_with(written, tmp_path / "bundle", prediction=PREDICTION | {"answer/buy": 0.3002}, tolerance=0.01))


def test_nan_is_another_answer(written, tmp_path):
    bundle = bundle_with(written, tmp_path / "bundle", prediction=PREDICTION | {"answer/buy": float("nan")})
    with pytest.raises(BundleError, match="golden is nan"):
        Ranker(bundle)


def test_bundle_of_a_version_without_golden_json_opens(bundle):
    assert "golden.json" not in Retriever(bundle).manifest["files"]
    Ranker(bundle)


def test_changed_golden_json_is_refused(written, tmp_path):
    bundle = bundle_with(written, tmp_path / "bundle")
    path = bundle / "golden.json"
    path.write_text(path.read_text().replace("2.0", "3.0"))
    with pytest.raises(BundleError, match=r"golden\.json is not the exported file"):
        Ranker(bundle)


@pytest.mark.parametrize(
    ("golden", "what"),
    [
        ({}, None),
        ({"answer/items": ["c", "a"], "answer/scores": [2.0, 9.0]}, None),  # approximate search may miss an item
        ({"answer/scores": [2.0, 1.1]}, "item 'b' with score 1.0, golden is 1.1"),
        ({"answer/items": ["x", "y"]}, "the index finds none of the 2 golden items"),
    ],
)
def test_approximate_search_may_miss_items_but_not_score_them_otherwise(bundle, golden, what):
    faults = score_faults(Retriever(bundle), [LIST | golden], 1e-4)
    assert [what in fault for fault in faults] == ([True] if what else [])


INTEL = """processor\t: 0
model name\t: Intel(R) Xeon(R) 4
flags\t\t: fpu avx2 avx512f avx512_vnni avx_vnni_int8 amx_int8

processor\t: 1
model name\t: another
flags\t\t: fpu
"""


def test_model_and_flags_are_those_of_the_first_core(tmp_path):
    (tmp_path / "cpuinfo").write_text(INTEL)
    facts = processor(tmp_path / "cpuinfo")
    assert facts == {"model": "Intel(R) Xeon(R) 4", "flags": ["avx2", "avx512f", "avx512_vnni", "amx_int8"]}
    assert processor_words(facts) == "Intel(R) Xeon(R) 4 (avx2, avx512f, avx512_vnni, amx_int8)"


@pytest.mark.parametrize("text", [None, "", "CPU part\t: 0xd0c\nFeatures\t: asimd\n"])
def test_without_these_facts_there_is_a_name_and_no_flag(tmp_path, text):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    facts = processor(tmp_path / "cpuinfo")
    assert facts["flags"] == []
    assert facts["model"]
    assert "amx_int8" in processor_words(facts)


def test_this_processor_has_known_flags():
    assert set(processor()["flags"]) <= set(FLAGS)
