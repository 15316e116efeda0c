import io

from rich.console import Console

from recsys.report.release import bundle_table

MANIFEST = {
    "files": {"retriever.onnx": {"sha256": "ab" * 32, "size": 1_234_567}, "schema.json": {"sha256": "cd" * 32, "size": 99}},
    "items": {"column": "item_id", "dtype": "int64", "count": 1400},
    "dim": 64,
    "parity": {"users": 98, "k": 100, "batch_sizes": [1, 7, 64], "lists": 588, "identical_lists": 584, "max_score_difference": 9.7e-08},
    "latency": {"start_ms": 412.3, "retriever": {"requests": 500, "p50_ms": 0.512, "p99_ms": 1.25}},
    "gates": [
        {"gate": "golden", "passed": True, "limit": "200 requests answered alike", "found": "all"},
        {"gate": "floor", "passed": False, "limit": "test/recall@20 at least 0.2", "found": "test/recall@20 0.1"},
    ],
}
RANKER = {"labels": ["click", "buy"], "ranker_parity": {"rows": 2048, "batch_sizes": [1, 1024], "max_difference": 1.2e-07}}


def printed(manifest):
    console = Console(file=io.StringIO(), width=100)
    console.print(bundle_table(manifest))
    return console.file.getvalue()


def test_bundle_table_names_files_sizes_and_parity():
    text = printed(MANIFEST)
    assert ["retriever.onnx", "1.2", "MB", "ab" * 6] in [line.split() for line in text.splitlines()]
    assert "Retriever: 1,400 items answer by 'item_id' (int64), 64 dimensions." in text
    assert "584 of 588 lists of 100 identical, scores within 9.7e-08" in " ".join(text.split())
    assert "Ranker" not in text


def test_bundle_table_says_that_narrow_graphs_were_not_compared_with_the_model():
    weights = {"weights": "float32, before quantize=int8_tables"}
    narrow = {"parity": MANIFEST["parity"] | weights, "labels": ["click"], "ranker_parity": RANKER["ranker_parity"] | weights}
    text = " ".join(printed(MANIFEST | narrow).split())
    assert "Compared with the model (float32, before quantize=int8_tables) on 98 users" in text
    assert "Compared with the model (float32, before quantize=int8_tables) on 2,048 impressions" in text


def test_bundle_table_of_both_tasks_says_which_comparison_is_whose():
    text = " ".join(printed(MANIFEST | RANKER).split())
    retriever, ranker = text.index("Retriever: 1,400 items"), text.index("Ranker: predicts click, buy.")
    assert retriever < text.index("on 98 users in batches of 1, 7, 64") < ranker
    assert ranker < text.index("on 2,048 impressions in batches of 1, 1,024, and with one user for many rows: within 1.2e-07.")


def test_bundle_table_says_how_fast_it_answers():
    text = " ".join(printed(MANIFEST).split())
    assert "on one thread: the retriever p50 0.51 ms, p99 1.25 ms. Loaded, checked and first answers given in 412 ms." in text


def test_every_gate_has_its_line():
    lines = [" ".join(line.split()) for line in printed(MANIFEST).splitlines()]
    assert "golden passed 200 requests answered alike all" in lines
    assert "floor refused test/recall@20 at least 0.2 test/recall@20 0.1" in lines
