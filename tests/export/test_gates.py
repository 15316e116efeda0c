"""Every gate passes what is right and refuses what is not, by name, with its own exit code."""

import pytest

from recsys.errors import GATES, ConfigError, ReleaseError
from recsys.export.gates import Gate, floor_gates, golden_gate, latency_gates, parity_gate, refuse, replayed, size_gates, unknown_gate
from recsys.task.base import facet


def ended(gates):
    return [gate.passed for gate in gates]


def test_every_gate_has_an_exit_code_of_its_own():
    assert len(set(GATES.values())) == len(GATES)
    assert not set(GATES.values()) & {0, 1, 2, 3, 4, 5, 6, 143}


def test_refusal_names_all_that_failed_and_ends_with_the_first_ones_code(tmp_path):
    gates = [
        Gate("size", False, "at most 1 MB", "2.00 MB", "quantize"),
        Gate("parity", True, "", "", ""),
        Gate("floor", False, "test/recall@20 at least 0.2", "test/recall@20 0.1", "train"),
    ]
    with pytest.raises(ReleaseError, match=r"2 problems(.|\n)*floor: test/recall@20 0\.1(.|\n)*size: 2\.00 MB") as refused:
        refuse(gates, tmp_path)
    assert refused.value.exit_code == 12
    refuse(gates[1:2], tmp_path)


def test_a_metric_at_its_floor_passes_and_one_below_does_not():
    metrics = {"test/recall@20": 0.1, "test/click/auc": 0.69}
    assert ended(floor_gates(metrics, {"test/recall@20": 0.1, "test/click/auc": 0.7})) == [True, False]


def test_a_metric_that_is_not_finite_is_below_every_floor():
    (gate,) = floor_gates({"val/click/auc": None}, {"val/click/auc": -1.0})
    assert (gate.passed, gate.found) == (False, "val/click/auc is not finite")


def test_floor_of_an_unknown_metric_is_a_mistake_in_the_config():
    with pytest.raises(ConfigError, match=r"'test/recal@20'; did you mean 'test/recall@20'\?(.|\n)*gate\.min"):
        floor_gates({"test/recall@20": 0.1}, {"test/recal@20": 0.1})


def test_golden_gate_counts_and_shows_what_was_answered_differently():
    assert golden_gate({"retrieval": 200, "ranking": 1000}, {"retrieval": [], "ranking": []}).passed
    assert golden_gate({"retrieval": 200}, {}).found == "1 answered differently: no request of retrieval was replayed"
    refused = golden_gate({"retrieval": 200}, {"retrieval": ["retrieval request 7: 3 items, golden are 20"]})
    assert not refused.passed
    assert refused.found == "1 answered differently: retrieval request 7: 3 items, golden are 20"


def test_parity_says_of_which_weights_it_is():
    told = {"ranker_parity": {"rows": 7, "max_difference": 2e-07}}
    assert parity_gate(told, [facet("ranking", "export")]).limit == "probabilities within 1e-06"
    told["ranker_parity"]["weights"] = "float32, before quantize=int8_tables"
    assert parity_gate(told, [facet("ranking", "export")]).limit == "probabilities within 1e-06; float32, before quantize=int8_tables"


def test_latency_is_held_against_each_part():
    latency = {"start_ms": 900.0, "retriever": {"p50_ms": 1.0, "p99_ms": 2.0}, "ranker": {"p50_ms": 2.0, "p99_ms": 6.0}}
    assert ended(latency_gates(latency, 5.0)) == [True, False]
    assert latency_gates(latency, None) == []


def test_size_counts_every_file(tmp_path):
    (tmp_path / "one").write_bytes(b"x" * 600_000)
    (tmp_path / "other").write_bytes(b"x" * 600_000)
    assert ended(size_gates(tmp_path, 1.2)) == [True]
    assert ended(size_gates(tmp_path, 1.19)) == [False]
    assert size_gates(tmp_path, None) == []


def test_a_bundle_that_no_new_process_can_open_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ReleaseError, match=r"a new process cannot serve the bundle: .* holds no manifest\.json") as refused:
        replayed(tmp_path)
    assert refused.value.exit_code == 11


@pytest.mark.parametrize(
    ("recall", "popularity", "known", "users", "passed"),
    [
        (0.0003, 0.041, 0.07, 5000, False),  # noise
        (0.0205, 0.041, 0.07, 5000, True),  # half of popularity's
        (0.0204, 0.041, 0.07, 5000, False),
        (0.0181, 0.041, 0.02, 5000, True),  # nine tenths of known users': a poor model, and as poor for all
        (0.0179, 0.041, 0.02, 5000, False),
        (0.0, 0.041, 0.07, 99, True),  # too few users to tell
    ],
)
def test_lists_of_unknown_users_are_no_noise(recall, popularity, known, users, passed):
    gate = unknown_gate({"k": 20, "users": users, "recall": recall, "popularity": popularity, "known": known})
    assert gate.passed == passed
    assert ("too few to tell" in gate.found) == (users == 99)
    assert f"{recall:.4f}; popularity {popularity:.4f}" in gate.found
