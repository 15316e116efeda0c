import json

from recsys.report.run import publish_result

METRICS = {"test/recall@20": 0.1, "baseline/ease/test/recall@20": 0.05}


def test_result_is_on_disk_in_the_log_and_on_the_terminal(tmp_path, capsys):
    (tmp_path / "train.log").write_text("earlier\n")
    publish_result(METRICS, tmp_path, task="retrieval", model="two_tower", notes=["baseline item_knn skipped: too many items"])
    assert json.loads((tmp_path / "metrics.json").read_text()) == METRICS
    log, terminal = (tmp_path / "train.log").read_text(), capsys.readouterr().out
    assert log.startswith("earlier\n")
    for text in (log, terminal):
        assert "recall@20" in text
        assert "0.1000" in text
        assert "baseline item_knn skipped: too many items" in text
    assert "\x1b" not in log
    assert terminal.splitlines()[-1] == f"run: {tmp_path}"


def test_a_page_that_cannot_be_made_fails_no_run(tmp_path, capsys):
    publish_result(METRICS, tmp_path, task="retrieval", model="two_tower", notes=[])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("no report.html: 1 problem: 1. there is no config.yaml")
    assert lines[-1] == f"run: {tmp_path}"


def test_the_page_is_there_when_the_run_ends(retrieval, capsys):
    run = retrieval("a")
    publish_result(METRICS | {"test/users": 4}, run, task="retrieval", model="two_tower", notes=[])
    assert (run / "report.html").exists()
    assert "no report.html" not in capsys.readouterr().out
