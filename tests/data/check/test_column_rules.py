"""Which rows of ids, labels and times break their rule, on frames of a few rows."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from recsys.data.check.column_rules import IdRule, LabelRule, TimeRule
from recsys.schema import Label, TimeUnit
from recsys.schema.raw import Rule

NOW_US = 1_750_000_000_000_000  # 2025-06-15
IN_2020_S = 1_580_000_000


def broken(rule: Rule, frame: pl.DataFrame) -> dict[str, list[int]]:
    """{what: row numbers} of every check that some row breaks."""
    found = {check.what: frame.select(bad=check.bad.fill_null(False))["bad"].arg_true().to_list() for check in rule.checks(frame.schema)}
    return {what: rows for what, rows in found.items() if rows}


def remedy(rule: Rule, what: str, frame: pl.DataFrame) -> str:
    return next(check.remedy for check in rule.checks(frame.schema) if check.what == what)


@pytest.fixture
def user() -> IdRule:
    return IdRule("user_id", "user id", "data.user", unique=False)


def clock(unit: TimeUnit) -> TimeRule:
    return TimeRule("time", "time", "data.time", unit, NOW_US)


def test_id_must_be_there_and_not_negative(user: IdRule):
    frame = pl.DataFrame({"user_id": [0, None, -1, -(2**63)]})
    assert broken(user, frame) == {"missing id": [1], "negative id": [2, 3]}
    assert remedy(user, "negative id", frame).endswith("filter(pl.col('user_id') >= 0), or set data.bad_rows=quarantine")


def test_text_id_may_look_negative_but_holds_no_nul(user: IdRule):
    assert broken(user, pl.DataFrame({"user_id": ["-1", "\0", "é"]})) == {"string with a NUL byte or longer than 1 MB": [1]}


def test_float_id_is_refused_and_lost_ids_are_found(user: IdRule):
    # 2^53 is the last integer that a float64 tells from its neighbours.
    frame = pl.DataFrame({"user_id": [1.0, 7.5, 2.0**53, 2.0**53 + 2, None, float("nan")]})
    assert broken(user, frame) == {"missing id": [4, 5], "float id that is no exact integer": [1, 3]}
    assert user.type_remedy(pl.Float64()) == (
        "set data.source.types.user_id=int64, or rewrite the file with pl.col('user_id').cast(pl.Int64); "
        "float ids lose precision above 2^53"
    )


@pytest.mark.parametrize(("dtype", "fine"), [(pl.Int32(), True), (pl.String(), True), (pl.Boolean(), False), (pl.Date(), False)])
def test_id_takes_integers_and_strings(user: IdRule, dtype: pl.DataType, fine: bool):
    assert (user.type_remedy(dtype) is None) == fine


def test_key_keeps_the_first_row_of_an_id():
    rule = IdRule("user_id", "user id", "data.user", unique=True)
    assert broken(rule, pl.DataFrame({"user_id": ["a", "b", "a", "a"]})) == {"id that an earlier row has": [2, 3]}


def test_key_counts_missing_ids_once():
    rule = IdRule("user_id", "user id", "data.user", unique=True)
    assert broken(rule, pl.DataFrame({"user_id": [None, None, 1]})) == {"missing id": [0, 1]}


@pytest.mark.parametrize("values", [[0, 1, None, 2, -1], [0.0, 1.0, None, 0.5, float("nan")]])
def test_label_is_zero_one_or_missing(values: list):
    rule = LabelRule("click", "label", "data.labels", Label("click"))
    assert broken(rule, pl.DataFrame({"click": values})) == {"label other than 0, 1, false, true or null": [3, 4]}


def test_label_may_be_boolean():
    rule = LabelRule("click", "label", "data.labels", Label("click"))
    frame = pl.DataFrame({"click": [True, False, None]})
    assert rule.type_remedy(frame.schema["click"]) is None
    assert broken(rule, frame) == {}


def test_label_must_not_be_text():
    rule = LabelRule("click", "label", "data.labels", Label("click"))
    assert broken(rule, pl.DataFrame({"click": ["1"]})) == {}
    assert rule.type_remedy(pl.String()) == (
        "set data.source.types.click=int64, or rewrite the file with pl.col('click').cast(pl.Int64); a label is 0, 1, false, true or null"
    )


def test_label_is_not_one_where_the_given_label_is_zero():
    rule = LabelRule("buy", "label", "data.labels", Label("buy", given="click"))
    frame = pl.DataFrame({"buy": [1, 1, 1, 0, None, 1], "click": [1, 0, None, 0, 0, 2]})
    assert broken(rule, frame) == {"buy=1 where click=0, though buy is given click": [1]}
    assert broken(rule, frame.with_columns(pl.col("click").cast(pl.Boolean))) == {"buy=1 where click=0, though buy is given click": [1]}
    assert "remove 'given: click' from data.labels" in remedy(rule, "buy=1 where click=0, though buy is given click", frame)


def test_given_label_of_wrong_type_is_left_to_its_own_rule():
    rule = LabelRule("buy", "label", "data.labels", Label("buy", given="click"))
    assert broken(rule, pl.DataFrame({"buy": [1], "click": ["0"]})) == {}


def test_moments_lie_between_1970_and_tomorrow():
    moments = [datetime(1969, 12, 31), datetime(1970, 1, 2), None, datetime(2025, 6, 16), datetime(2025, 6, 17), datetime(2100, 1, 1)]
    assert broken(clock("datetime"), pl.DataFrame({"time": moments})) == {
        "missing time": [2],
        "time outside 1970 to 2100": [0, 5],
        "time in the future": [4],
    }


def test_dates_and_zones_are_moments():
    zoned = pl.DataFrame({"time": [datetime(2020, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]})
    assert broken(clock("datetime"), zoned) == {"time outside 1970 to 2100": [1]}
    assert broken(clock("datetime"), pl.DataFrame({"time": [date(2020, 1, 1), date(2090, 1, 1)]})) == {"time in the future": [1]}


@pytest.mark.parametrize(("written", "ticks"), [("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)])
@pytest.mark.parametrize("unit", ["datetime", "s", "ms", "us", "ns", "YYYYMMDD", "YYYYMMDDHHMMSS"])
def test_integer_time_in_another_unit_is_told_which(unit: TimeUnit, written: str, ticks: int):
    frame = pl.DataFrame({"time": [IN_2020_S * ticks]})
    what = f"number that lies between 1985 and 2100 as {written}, not as {unit}"
    if unit == written:
        assert broken(clock(unit), frame) == {}
    else:
        assert broken(clock(unit), frame) == {what: [0]}
        assert remedy(clock(unit), what, frame).startswith(f"set data.time_unit={written};")


def test_integer_time_plausible_in_no_unit_and_in_the_future():
    frame = pl.DataFrame({"time": [-1, 2_000_000_000]}, schema={"time": pl.Int32})
    assert broken(clock("s"), frame) == {"time outside 1970 to 2100": [0], "time in the future": [1]}


@pytest.mark.parametrize("unit", ["datetime", "s", "ms", "us", "ns"])
def test_date_written_as_a_number_is_told(unit: TimeUnit):
    for number, written in ((20_240_229, "YYYYMMDD"), (20_240_229_101_530, "YYYYMMDDHHMMSS")):
        what = f"number that lies between 1985 and 2100 as {written}, not as {unit}"
        assert broken(clock(unit), pl.DataFrame({"time": [number]})) == {what: [0]}
        assert broken(clock(written), pl.DataFrame({"time": [number]})) == {}


def test_day_that_no_month_has_is_outside_the_calendar():
    assert broken(clock("YYYYMMDD"), pl.DataFrame({"time": [20_240_229, 20_230_229]})) == {"time outside 1970 to 2100": [1]}


def test_moments_of_the_nineties_are_moments_and_zero_beside_them_stands_for_a_missing_one():
    assert broken(clock("s"), pl.DataFrame({"time": [874_724_710, 893_286_638]})) == {}  # MovieLens-100K's first and last
    assert broken(clock("s"), pl.DataFrame({"time": [0, 893_286_638]})) == {"time outside 1970 to 2100": [0]}
    assert broken(clock("s"), pl.DataFrame({"time": [0, 86_400]})) == {}


def test_seconds_with_a_fraction_are_moments():
    assert broken(clock("s"), pl.DataFrame({"time": [1_700_000_000.25, float("nan")]})) == {"missing time": [1]}


def test_rank_is_any_integer_but_not_missing():
    assert broken(clock("rank"), pl.DataFrame({"time": [1, -5, None]})) == {"missing time": [2]}


def test_time_of_another_type_is_refused():
    assert clock("s").type_remedy(pl.Datetime()) == "set data.time_unit=datetime"
    assert "set data.source.types.time=datetime" in clock("datetime").type_remedy(pl.String())
    assert "set data.source.types.time=int64" in clock("rank").type_remedy(pl.Float64())
    assert clock("s").type_remedy(pl.Float64()) is None
    assert clock("datetime").type_remedy(pl.Date()) is None


def test_empty_text_is_no_id():
    rule = IdRule("user_id", "user id", "data.user", unique=False)
    assert broken(rule, pl.DataFrame({"user_id": ["a", "", None]})) == {"missing id": [1, 2]}


BASKET = pl.DataFrame({"buy": [1, 1, 1, 0, None], "click": [1, 0, None, 0, 0]})
IMPOSSIBLE = "buy=1 where click=0, though buy is given click"


def clipped(rule: LabelRule, frame: pl.DataFrame) -> list | None:
    expression = rule.clip_expression(frame.schema)
    return None if expression is None else frame.select(expression)[rule.column].to_list()


@pytest.mark.parametrize(("policy", "found", "dropped"), [("fail", [1], False), ("drop", [1], True), ("clip", None, None)])
def test_policy_says_what_becomes_of_a_label_where_the_given_one_is_zero(policy: str, found: list[int] | None, dropped: bool | None):
    rule = LabelRule("buy", "label", "data.labels", Label("buy", given="click", policy=policy))
    assert broken(rule, BASKET).get(IMPOSSIBLE) == found
    assert [check.drop for check in rule.checks(BASKET.schema) if check.what == IMPOSSIBLE] == ([] if dropped is None else [dropped])
    assert clipped(rule, BASKET) == ([1, 0, 1, 0, None] if policy == "clip" else None)


def test_clipped_rows_are_counted():
    rule = LabelRule("buy", "label", "data.labels", Label("buy", given="click", policy="clip"))
    (tally,) = rule.tallies(BASKET.schema)
    assert tally.sentence.format(count=1, rows=5) == "1 of 5 rows have buy=1 where click=0, though buy is given click: taken for 0"
    assert BASKET.select(tally.number).item() == 1
    assert not [*LabelRule("buy", "label", "data.labels", Label("buy", given="click")).tallies(BASKET.schema)]


@pytest.mark.parametrize("dtype", [pl.Int8(), pl.Boolean(), pl.Float64()])
def test_labels_of_every_type_are_clipped(dtype: pl.DataType):
    rule = LabelRule("buy", "label", "data.labels", Label("buy", given="click", policy="clip"))
    assert clipped(rule, BASKET.cast(dtype)) == [1, 0, 1, 0, None]


def test_a_number_may_be_clipped_too():
    rule = LabelRule("spend", "label", "data.labels", Label("spend", given="buy", kind="regression", policy="clip"))
    frame = pl.DataFrame({"spend": [7.5, 2.5, -3.0, None], "buy": [1, 0, 0, 0]})
    assert clipped(rule, frame) == [7.5, 0, 0, None]
    (tally,) = rule.tallies(frame.schema)
    assert tally.sentence.format(count=2, rows=4).startswith("2 of 4 rows have spend other than 0 where buy=0")


@pytest.mark.parametrize("values", [[-1.5, 0.0, None, float("nan"), float("inf"), 1e39], [-1.5, 0.0, None, -1e39, 4e38, float("-inf")]])
def test_regression_label_is_a_number_that_float32_holds(values: list):
    rule = LabelRule("spend", "label", "data.labels", Label("spend", kind="regression"))
    assert broken(rule, pl.DataFrame({"spend": values})) == {"label that is NaN, infinite or beyond float32": [3, 4, 5]}


@pytest.mark.parametrize("dtype", [pl.Int64(), pl.Boolean(), pl.Decimal(10, 2), pl.UInt64()])
def test_regression_label_may_be_any_kind_of_number(dtype: pl.DataType):
    rule = LabelRule("spend", "label", "data.labels", Label("spend", kind="regression"))
    assert rule.type_remedy(dtype) is None
    assert broken(rule, pl.DataFrame({"spend": [0, 1, None]}).cast(dtype)) == {}


def test_regression_label_must_not_be_text():
    rule = LabelRule("spend", "label", "data.labels", Label("spend", kind="regression"))
    assert rule.type_remedy(pl.String()).endswith("pl.col('spend').cast(pl.Float64); the label is a regression")
