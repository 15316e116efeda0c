import pytest

from recsys.errors import DataError, Fault
from recsys.task.item_names import item_names, item_titles


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
