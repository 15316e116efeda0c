"""Requests with fields that no model reads."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.serve import BadRow, Ranker, Recommender, Retriever
from recsys.serve.__main__ import main
from recsys.serve.requests import Ignored

ITEMS = [{"item_id": item, "price": 1.0} for item in "abc"]


def test_further_fields_are_refused_unless_the_option_is_on(bundle):
    with pytest.raises(BadRow, match="a field 'prise'"):
        Ranker(bundle).predict([{"prise": 1.0}])
    with pytest.raises(ValueError, match="a field 'prise'"):
        Ranker(bundle).predict({"prise": [1.0]})


@pytest.mark.parametrize("rows", [[{"price": 2.0, "x": 1}, {"price": 2.0, "y": 2, "x": 1}], {"price": [2.0, 2.0], "x": [1], "y": "z"}])
def test_ignored_fields_change_no_answer_and_are_named(bundle, rows):
    ranker = Ranker(bundle, ignore_extra=True)
    assert ranker.ignored == []
    assert ranker.predict(rows, user={"history": ["a"], "z": 1}) == Ranker(bundle).predict([{"price": 2.0}] * 2)
    assert ranker.ignored == ["z", "x", "y"] or ranker.ignored == ["x", "y", "z"]


def test_retriever_and_recommender_ignore_too(bundle):
    rows = [{"history": ["c"], "x": 1}]
    for served in (Retriever(bundle, ignore_extra=True), Recommender(bundle, ITEMS, ignore_extra=True)):
        assert served.recommend(rows) == type(served)(bundle, *[ITEMS] * isinstance(served, Recommender)).recommend([{"history": ["c"]}])
        assert served.ignored == ["x"]


def test_names_do_not_pile_up_without_end():
    ignored = Ignored()
    for number in range(1000):
        ignored.add([f"x{number}", "x" * 1000])
    assert len(ignored.names) == 100
    assert max(map(len, ignored.names)) == 100


def test_command_line_names_what_it_ignored(bundle, tmp_path, capsys):
    pq.write_table(pa.table({"price": [2.0], "x": [1]}), tmp_path / "in.parquet")
    command = [str(bundle), "--requests", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.parquet"), "--task", "ranking"]
    assert main(command) == 3
    assert main([*command, "--ignore-extra"]) == 0
    assert "'x'" in capsys.readouterr().out
    assert pq.read_table(tmp_path / "out.parquet")["click"].to_pylist() == pytest.approx([0.2])
