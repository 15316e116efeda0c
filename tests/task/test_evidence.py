import hashlib

import polars as pl
import pytest

from recsys.errors import DataError, Fault
from recsys.task.evidence import described_data, item_names, item_titles, write_table

EVENTS = "user,item\nann,d\nbob,a\nbob,c\n"


def test_users_and_what_they_chose_make_one_number(store):
    test = described_data(store, "shop", rows=False)["test"]
    assert test == {"user": "user", "rows": 3, "items": 5, "sha256": hashlib.sha256(EVENTS.encode()).hexdigest()}


def test_of_rows_every_label_counts(store):
    facts = described_data(store, "shop", rows=True)
    assert facts["test"]["rows"] == 5
    changed = store.labels["click"].clone()
    changed[-1] = 1 - changed[-1]
    store.labels["click"] = changed
    assert described_data(store, "shop", rows=True)["test"]["sha256"] != facts["test"]["sha256"]


def test_it_is_the_number_that_polars_writes_as_csv(store):
    frame = pl.DataFrame({"user": ["ann", "bob", "bob"], "item": ["d", "a", "c"]})
    assert frame.write_csv() == EVENTS


def test_counts_and_dates_of_the_data_are_told(store):
    facts = described_data(store, "shop", rows=True)
    assert (facts["name"], facts["counts"]["rows"], facts["split"]["test"]["positives"]) == ("shop", 12, 3)
    assert facts["dates"] == ["2024-01-01T06:30:00Z", "2024-01-14T06:30:00Z"]


def test_a_table_is_there_or_not_there(tmp_path):
    frame = pl.DataFrame({"user": ["ann"]})
    write_table(frame, tmp_path / "per_user.parquet")
    assert pl.read_parquet(tmp_path / "per_user.parquet").equals(frame)
    assert [path.name for path in tmp_path.iterdir()] == ["per_user.parquet"]


def test_an_item_is_known_by_its_title_and_its_kinds(store, source):
    names = item_names(store, source, [4, 1, 0, 1])
    assert names == {
        1: {"id": "a", "title": "<b>Apple</b>", "about": "fruit, red, sweet"},
        4: {"id": "d", "title": "Dates", "about": "fruit"},
    }


def test_an_item_without_a_title_has_none(store, source):
    assert item_names(store, source, [3])[3] == {"id": "c", "title": None, "about": "fruit, red"}


@pytest.mark.parametrize("error", [OSError("gone"), DataError(Fault("gone", "items.parquet", "bring it back"))])
def test_files_that_are_gone_cost_titles_alone(store, source, monkeypatch, error):
    def tables():
        raise error

    monkeypatch.setattr(source, "tables", tables)
    assert item_names(store, source, [1])[1] == {"id": "a", "title": None, "about": "fruit, red, sweet"}


def test_a_table_without_text_gives_no_titles(store, source):
    source.types = {}
    del source.paths["items"]
    assert item_titles(store, source, ["a"]) == {}
