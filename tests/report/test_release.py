from recsys.report.release import gate_blocks, speed_blocks


def test_gates_have_a_row_each():
    gates = [
        {"gate": "parity", "passed": True, "limit": "1e-05", "found": "9.7e-08"},
        {"gate": "size", "passed": False, "limit": "50 MB", "found": "61.2 MB"},
    ]
    table, golden = gate_blocks({"gates": gates, "golden": {"retrieval": 64, "ranking": 0}})
    assert "| parity | passed | 1e-05 | 9.7e-08 |" in table.splitlines()
    assert "| size | refused | 50 MB | 61.2 MB |" in table.splitlines()
    assert golden == "Requests with their answers are in `golden.parquet`: 64 of retrieval."


def test_latency_tells_percentiles_and_rows_of_a_request():
    latency = {"start_ms": 1312.4, "retriever": {"requests": 500, "p50_ms": 1.018, "p99_ms": 1.9}}
    latency["ranker"] = {"requests": 200, "p50_ms": 2.1, "p99_ms": 3.305, "candidates": 200}
    start, table = speed_blocks({"latency": latency})
    assert start == "Ready to answer 1,312 ms after the start."
    assert "| retriever | 1 | 500 | 1.02 ms | 1.90 ms |" in table.splitlines()
    assert "| ranker | 200 | 200 | 2.10 ms | 3.31 ms |" in table.splitlines()


def test_index_tells_recall_beside_exact_and_shows_its_plot():
    curve = [
        {"ef_search": 16, "recall": 0.9312, "p50_ms": 0.11, "p99_ms": 0.2},
        {"ef_search": 64, "recall": 0.9961, "p50_ms": 0.3, "p99_ms": 0.41},
    ]
    index = {"kind": "hnsw", "k": 100, "recall": 0.9961, "chosen": {"ef_search": 64}, "curve": curve, "exact_p50_ms": 1.25}
    told, table, plot = speed_blocks({"index": index})
    assert told == "Approximate search `hnsw` (ef_search 64) finds 0.9961 of the exact first 100; exact search takes 1.25 ms."
    assert table.splitlines()[2:] == ["| 16 | 0.9312 | 0.11 ms | 0.20 ms |", "| 64 | 0.9961 | 0.30 ms | 0.41 ms |"]
    assert plot.endswith("(index.svg)")


def test_quantisation_tells_size_speed_and_what_it_cost():
    quantized = {"kind": "int8_tables", "bytes_before": 4_000_000, "bytes_after": 1_100_000, "p50_ratio": {"retriever": 0.8}}
    quantized |= {
        "loss": {"recall@20": -0.0004},
        "float32": {"recall@20": 0.147},
        "same_items": {"same_items@20": 0.97},
        "vectors": {"user_tower": 0.0123},
    }
    told, table = speed_blocks({"quantized": quantized})
    assert told == "Quantised as `int8_tables`: 4.0 MB became 1.1 MB; p50 of what it was: retriever 0.80 times."
    assert table.splitlines()[2:] == [
        "| recall@20 | 0.1470 | -0.0004 |",
        "| same_items@20 |  | 0.9700 |",
        "| vectors of user_tower, over their length |  | 0.0123 |",
    ]


def test_what_was_not_measured_is_not_told():
    assert gate_blocks({}) == speed_blocks({}) == []
