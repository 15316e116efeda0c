"""Ids that do not meet, and interactions earlier than the row of their user or item, in tables of a few rows."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from recsys.data.check.table_check import NOTHING, CheckedTable
from recsys.data.check.validate import Validated, id_findings, validate
from recsys.errors import DataError, Fault
from recsys.schema import Categorical, Numeric, Schema
from recsys.source.base import Tables

NOON = datetime(2024, 5, 10, 12)
MAY = [datetime(2024, 5, day, 12) for day in range(8, 14)]
"""Rows 0 to 5, on the 8th to the 13th."""
EVENTS = pl.DataFrame({"user": [1, 1, 2, 1, 2, 1], "item": ["a", "b", "a", "a", "a", "b"], "at": MAY, "price": [1.0] * 6})
FEATURES = Categorical("user", "user"), Categorical("item", "item"), Numeric("price", "context")


def checked(folder, events=EVENTS, users=None, items=None, *, unit="datetime", bad_rows="fail") -> Validated:
    frames = {"interactions": events, "users": users, "items": items}
    tables = Tables(**{name: None if frame is None else frame.lazy() for name, frame in frames.items()})
    schema = Schema("user", "item", "at", unit, features=FEATURES)
    return validate(tables, schema, bad_rows=bad_rows, quarantine=folder / "aside", max_unknown_share=1.0)


def refused(folder, *args, **options) -> list:
    with pytest.raises(DataError) as raised:
        checked(folder, *args, **options)
    return list(raised.value.faults)


def known(*since, **types) -> pl.DataFrame:
    return pl.DataFrame({"item": ["a", "b"], "at": since}, **types)


def test_interaction_before_the_row_of_its_item_is_named(tmp_path):
    (fault,) = refused(tmp_path, items=known(NOON, datetime(2024, 5, 9, 12, 0, 1)))
    assert fault.what == (
        "interaction earlier than the 'at' of its 'item' in items in 2 of 6 rows: "
        "'a: 2024-05-08 12:00:00 before 2024-05-10 12:00:00', 'b: 2024-05-09 12:00:00 before 2024-05-09 12:00:01'"
    )
    assert fault.where == "interactions, rows 0, 1, column 'at'"
    assert fault.remedy == (
        "join features as they were then, rename 'at' in items if it is not since when a row is known, or set data.bad_rows=quarantine"
    )


def test_users_and_items_are_asked_together(tmp_path):
    users = pl.DataFrame({"user": [1, 2], "at": [MAY[0], MAY[3]]})
    found = [fault.what.split(" in ")[:2] for fault in refused(tmp_path, users=users, items=known(MAY[1], MAY[0]))]
    assert found == [
        ["interaction earlier than the 'at' of its 'user'", "users"],
        ["interaction earlier than the 'at' of its 'item'", "items"],
    ]


def test_the_moment_itself_is_known(tmp_path):
    assert checked(tmp_path, items=known(MAY[0], MAY[1]))


def test_rows_without_a_moment_and_ids_without_a_row_are_always_known(tmp_path):
    assert checked(tmp_path, items=known(None, MAY[0], schema_overrides={"at": pl.Datetime("us")}))
    assert checked(tmp_path, items=known(MAY[0], MAY[0]).with_columns(item=pl.Series(["a", "c"])))
    assert checked(tmp_path, items=known(None, None, schema_overrides={"at": pl.Datetime("us")}))


def test_quarantine_sets_them_aside(tmp_path):
    validated = checked(tmp_path, items=known(NOON, MAY[0]), bad_rows="quarantine")
    assert validated.tables.interactions.collect()["at"].to_list() == MAY[1:]
    assert "interactions: 1 of 6 rows (16.67%) set aside" in validated.notes[-1]
    aside = pl.read_parquet(tmp_path / "aside" / "interactions.parquet")
    assert aside["fault"].to_list() == ["at: interaction earlier than the 'at' of its 'item' in items"]


def test_they_are_counted_beside_other_faults(tmp_path):
    events = EVENTS.with_columns(user=pl.Series([1, 1, 2, -1, 2, 1]))
    validated = checked(tmp_path, events, items=known(NOON, MAY[0]), bad_rows="quarantine")
    assert validated.tables.interactions.collect()["at"].to_list() == [*MAY[1:3], *MAY[4:]]
    assert [fault.what.split(" in ")[0] for fault in refused(tmp_path, events, items=known(NOON, MAY[0]))] == [
        "negative id",
        "interaction earlier than the 'at' of its 'item'",
    ]


def test_a_row_set_aside_says_nothing(tmp_path):
    items = pl.DataFrame({"item": ["a", "b", "a"], "at": [MAY[0], MAY[0], MAY[5]]})
    validated = checked(tmp_path, items=items, bad_rows="quarantine")
    assert validated.tables.interactions.collect().height == 6


def test_days_are_compared_with_days(tmp_path):
    days = EVENTS.with_columns(pl.col("at").cast(pl.Date))
    assert checked(tmp_path, days, items=known(MAY[0], MAY[1]))  # known since noon of the day
    assert checked(tmp_path, items=known(date(2024, 5, 8), date(2024, 5, 9)))
    (fault,) = refused(tmp_path, days, items=known(MAY[0], MAY[2]))
    assert "'b: 2024-05-09 00:00:00 before 2024-05-10 00:00:00'" in fault.what


def test_integers_count_in_the_unit_of_the_time(tmp_path):
    seconds = EVENTS.with_columns(pl.col("at").dt.epoch("s"))
    assert checked(tmp_path, seconds, items=known(MAY[0], MAY[1]), unit="s")
    (fault,) = refused(tmp_path, seconds, items=known(1_715_169_601, 1_700_000_000), unit="s")  # a second after row 0
    assert "'a: 2024-05-08 12:00:00 before 2024-05-08 12:00:01'" in fault.what


def test_zones_are_compared_as_moments(tmp_path):
    zoned = EVENTS.with_columns(pl.col("at").dt.replace_time_zone("UTC"))
    (fault,) = refused(tmp_path, zoned, items=known(NOON.replace(tzinfo=UTC), MAY[0].replace(tzinfo=UTC)))
    assert "in 1 of 6 rows" in fault.what


def test_text_is_no_moment(tmp_path):
    (fault,) = refused(tmp_path, items=known("yesterday", "today"))
    assert fault.what == "time 'at', the moment since which a row of items is known, is String"
    assert fault.where == "table items, column 'at'"
    assert fault.remedy.startswith("set data.source.types.at=datetime, or rewrite the file")
    assert fault.remedy.endswith("or rename the column if it means another")


def test_a_rank_says_nothing_of_it(tmp_path):
    ranks = EVENTS.with_columns(at=pl.Series(range(6)))
    assert checked(tmp_path, ranks, items=known(3, 4), unit="rank")


def test_ids_of_another_type_are_their_own_fault(tmp_path):
    events = EVENTS.with_columns(item=pl.Series(range(6)))
    (fault,) = refused(tmp_path, events, items=known(NOON, NOON))
    assert fault.what == "id 'item' is Int64 in interactions and String in items"


def test_a_time_of_the_wrong_type_is_its_own_fault(tmp_path):
    events = EVENTS.with_columns(at=pl.lit("noon"))
    (fault,) = refused(tmp_path, events, items=known(NOON, NOON))
    assert fault.what == "time 'at' is String"


def test_what_was_said_of_the_interactions_is_said(tmp_path):
    assert (
        "interactions: feature 'price' holds one value only and tells a model nothing"
        in checked(tmp_path, items=known(MAY[0], MAY[0])).notes
    )


def findings(used: pl.Series, known: pl.Series, limit: float = 0.2) -> list[Fault | str]:
    """Findings on ids of the interactions, and of the items table."""
    frames = {"interactions": used.alias("item_id").to_frame(), "items": known.alias("item_id").to_frame()}
    tables = [CheckedTable(name, frame.lazy(), frame.schema, NOTHING, (), ()) for name, frame in frames.items()]
    return list(id_findings(*tables, "item_id", limit))


def test_all_known_ids_say_nothing():
    assert findings(pl.Series([3, 3, 1, None]), pl.Series([1, 2, 3, None])) == []


def test_few_missing_ids_are_a_note():
    (note,) = findings(pl.Series(["a", "b", "c", "d", "e", "a"]), pl.Series(["a", "b", "c", "d"]))
    assert note == "1 of 5 ids 'item_id' of interactions have no row in items (20.0%): 'e'; their features are unknown"


def test_more_than_the_limit_is_a_warning():
    (note,) = findings(pl.Series([1, 2, 3, 4, 5]), pl.Series([1, 2, 3]))
    assert note.startswith("warning, above data.max_unknown_share=0.2: 2 of 5 ids 'item_id'")
    assert "(40.0%): 4, 5;" in note


def test_more_than_half_is_a_fault():
    (fault,) = findings(pl.Series(range(13)), pl.Series(range(6)))
    assert fault.what == "7 of 13 ids 'item_id' of interactions have no row in items (53.8%): 6, 7, 8, 9, 10, ..."
    assert fault.where == "tables interactions and items, column 'item_id'"
    assert fault.remedy == "check that data.source.items belongs to data.source.interactions, or set data.source.items=null"


def test_numbers_and_text_never_meet():
    (fault,) = findings(pl.Series([1, 2]), pl.Series(["1", "2"]))
    assert fault.what == "id 'item_id' is Int64 in interactions and String in items"
    assert fault.remedy == "set data.source.types.item_id=string, or rewrite one table with pl.col('item_id').cast(pl.String)"


def test_integers_of_two_widths_meet():
    assert findings(pl.Series([1, 2], dtype=pl.Int32), pl.Series([1, 2], dtype=pl.UInt64)) == []


def test_text_and_its_categories_meet():
    assert findings(pl.Series(["a"], dtype=pl.Categorical), pl.Series(["a"])) == []
