import json

import pytest

from recsys.errors import ResourceError
from recsys.run.metrics_log import MetricsLog


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_logged_value_becomes_a_line(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.log_metrics({"train/loss": 0.5, "epoch": 1.0}, step=7)
    log.log_metrics({"val/recall@20": float("nan")}, step=8)
    assert lines(tmp_path / "metrics.jsonl") == [{"step": 7, "epoch": 1, "train/loss": 0.5}, {"step": 8, "val/recall@20": None}]


def test_lightning_logs_into_it(fit, tmp_path):
    fit(logger=MetricsLog(tmp_path / "metrics.jsonl"), scores=[0.25, 0.5])
    assert [(line["step"], line["epoch"], line["val/score"]) for line in lines(tmp_path / "metrics.jsonl")] == [(1, 0, 0.25), (3, 1, 0.5)]


def test_a_place_that_cannot_be_written_is_named_with_its_space(tmp_path):
    with pytest.raises(
        ResourceError, match=rf"No such file or directory, with [\d,]+ bytes free\n    where: {tmp_path}/gone/metrics\.jsonl"
    ):
        MetricsLog(tmp_path / "gone" / "metrics.jsonl").log_metrics({"a": 1.0}, step=0)
