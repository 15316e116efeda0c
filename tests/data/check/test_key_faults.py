"""Whether five ids of the interactions have a row in the items table."""

import polars as pl

from recsys.data.check.findings import Findings
from recsys.data.check.key_faults import key_findings


def findings(used: pl.Series, known: pl.Series, limit: float = 0.2) -> Findings:
    frames = used.alias("item_id").to_frame().lazy(), known.alias("item_id").to_frame().lazy()
    return key_findings(*frames, table="items", key="item_id", max_unknown_share=limit)


def test_all_known_ids_say_nothing():
    assert findings(pl.Series([3, 3, 1, None]), pl.Series([1, 2, 3, None])) == Findings()


def test_few_missing_ids_are_a_note():
    found = findings(pl.Series(["a", "b", "c", "d", "e", "a"]), pl.Series(["a", "b", "c", "d"]))
    assert found.faults == ()
    assert found.notes == ("1 of 5 ids 'item_id' of interactions have no row in items (20.0%): 'e'; their features are unknown",)


def test_more_than_the_limit_is_a_warning():
    found = findings(pl.Series([1, 2, 3, 4, 5]), pl.Series([1, 2, 3]))
    (note,) = found.notes
    assert note.startswith("warning, above data.max_unknown_share=0.2: 2 of 5 ids 'item_id'")
    assert "(40.0%): 4, 5;" in note


def test_more_than_half_is_a_fault():
    (fault,) = findings(pl.Series(range(13)), pl.Series(range(6))).faults
    assert fault.what == "7 of 13 ids 'item_id' of interactions have no row in items (53.8%): 6, 7, 8, 9, 10, ..."
    assert fault.where == "tables interactions and items, column 'item_id'"
    assert fault.remedy == "check that data.source.items belongs to data.source.interactions, or set data.source.items=null"


def test_numbers_and_text_never_meet():
    (fault,) = findings(pl.Series([1, 2]), pl.Series(["1", "2"])).faults
    assert fault.what == "id 'item_id' is Int64 in interactions and String in items"
    assert fault.remedy == "set data.source.types.item_id=string, or rewrite one table with pl.col('item_id').cast(pl.String)"


def test_integers_of_two_widths_meet():
    assert findings(pl.Series([1, 2], dtype=pl.Int32), pl.Series([1, 2], dtype=pl.UInt64)) == Findings()


def test_text_and_its_categories_meet():
    assert findings(pl.Series(["a"], dtype=pl.Categorical), pl.Series(["a"])) == Findings()
