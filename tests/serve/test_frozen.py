"""Bundles that earlier versions have released still open and answer as they did. Add one when the format changes; change none."""

import json
from pathlib import Path

import pytest

from recsys.serve import Recommender
from recsys.serve.manifest import FORMAT
from recsys.serve.replay import replay

FROZEN = sorted((Path(__file__).parent / "frozen").iterdir())


@pytest.mark.parametrize("bundle", FROZEN, ids=lambda bundle: bundle.name)
def test_golden_requests_are_answered_as_when_it_was_released(bundle):
    assert replay(bundle)["wrong"] == {"retrieval": [], "ranking": []}


@pytest.mark.parametrize("bundle", FROZEN, ids=lambda bundle: bundle.name)
def test_both_parts_work_together(bundle):
    recommender = Recommender(bundle, [{"item_id": 5004, "category": None, "brand": None, "price": 9.5}], label="click")
    (answer,) = recommender.recommend([{"user_id": 100_007, "country": "DE", "history": [5004]}], k=5)
    assert len(answer.items) == 5
    assert 5004 not in answer.items
    assert all(0 < score < 1 for score in answer.scores)


def test_the_format_of_today_is_frozen():
    assert FORMAT in [json.loads((bundle / "manifest.json").read_text())["format"] for bundle in FROZEN]
