import numpy as np
import polars as pl
import pytest

from recsys.data.split import Given, LeaveOneOut, Ratio, SplitRows, Temporal, future_leak
from recsys.errors import ConfigError, DataError

DAY_US = 86_400_000_000


def rows(user, time=None, *, calendar=True, positive=None, given=None):
    positive = [True] * len(user) if positive is None else positive
    return SplitRows(
        np.array(user, dtype=np.int32),
        None if time is None else np.array(time, dtype=np.int64),
        calendar=calendar,
        positive=np.array(positive, dtype=bool),
        given=None if given is None else pl.Series("part", given),
    )


def test_temporal_counts_days_back_from_the_last_row():
    # last row on day 30: test is day 29 and 30, validation 26 to 28
    days = np.arange(1, 31)
    assignment = Temporal(val_days=3, test_days=2).assign(rows([1] * 30, days * DAY_US))
    assert days[assignment.codes == 1].tolist() == [26, 27, 28]
    assert days[assignment.codes == 2].tolist() == [29, 30]
    assert assignment.boundaries == {"val": 25 * DAY_US + 1, "test": 28 * DAY_US + 1, "end": 30 * DAY_US + 1}
    assert assignment.leaks is None


def test_temporal_dates_are_first_moments_in_utc():
    time = [0, DAY_US - 1, DAY_US, 2 * DAY_US - 1, 2 * DAY_US]
    assignment = Temporal(val_start="1970-01-02", test_start="1970-01-03T00:00:00+00:00").assign(rows([1] * 5, time))
    assert assignment.codes.tolist() == [0, 0, 1, 1, 2]


def test_temporal_dates_with_a_zone_are_moments_of_that_zone():
    # midnight two hours east of Greenwich is 22:00 of the day before in UTC
    time = [22 * DAY_US // 24 - 1, 22 * DAY_US // 24, DAY_US]
    assignment = Temporal(val_start="1970-01-02T00:00:00+02:00", test_start="1970-01-02").assign(rows([1] * 3, time))
    assert assignment.codes.tolist() == [0, 1, 2]


def test_temporal_days_may_be_fractions():
    # the last row is a microsecond before 48 h: test begins at 36 h, validation at 18 h
    time = np.array([0, 17, 18, 19, 35, 36, 37, 48]) * (DAY_US // 24)
    assignment = Temporal(val_days=0.75, test_days=0.5).assign(rows([1] * 8, time - (time == time[-1])))
    assert assignment.codes.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("days", [(0, 1), (1, 0), (1, -2)])
def test_temporal_refuses_a_part_of_no_days(days):
    with pytest.raises(ConfigError, match=r"(val|test)_days is (0|-2)(.|\n)*above 0"):
        Temporal(*days)


@pytest.mark.parametrize(
    "arguments", [{}, {"val_days": 1}, {"val_days": 1, "test_days": 1, "test_start": "2024-01-01"}, {"val_start": "2024-01-01"}]
)
def test_temporal_takes_one_whole_pair(arguments):
    with pytest.raises(ConfigError, match="takes val_days and test_days, or val_start and test_start"):
        Temporal(**arguments)


@pytest.mark.parametrize(("time", "calendar"), [(None, True), ([1, 2, 3], False)])
def test_temporal_refuses_rows_without_a_calendar(time, calendar):
    with pytest.raises(DataError, match="needs moments"):
        Temporal(1, 1).assign(rows([1, 1, 1], time, calendar=calendar))


def test_leave_one_out_takes_the_last_two_by_time():
    # user 1 in time order: rows 3, 0, 2, 1; user 2: 4, 5, 6
    assignment = LeaveOneOut().assign(rows([1, 1, 1, 1, 2, 2, 2], [20, 40, 30, 10, 1, 2, 3], calendar=False))
    assert assignment.codes.tolist() == [0, 2, 1, 0, 0, 1, 2]


def test_leave_one_out_breaks_ties_by_file_order():
    assert LeaveOneOut().assign(rows([1, 1, 1, 1], [5, 5, 5, 5])).codes.tolist() == [0, 0, 1, 2]
    assert LeaveOneOut().assign(rows([1, 1, 1, 1])).codes.tolist() == [0, 0, 1, 2]


def test_leave_one_out_keeps_users_with_two_positives_in_training():
    assert LeaveOneOut().assign(rows([1, 1, 2, 2, 2], [1, 2, 1, 2, 3])).codes.tolist() == [0, 0, 0, 1, 2]


def test_leave_one_out_counts_positives_and_puts_other_rows_where_they_fall():
    # positives at 1, 3, 5; the others at 2 (train), 3 (after row 2 in the file: validation), 4 (validation), 6 (test)
    time, positive = [1, 2, 3, 3, 4, 5, 6], [1, 0, 1, 0, 0, 1, 0]
    assert LeaveOneOut().assign(rows([1] * 7, time, positive=positive)).codes.tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_leave_one_out_orders_positives_by_their_own_times():
    # positives are rows 3, 2, 1 in time order; row 0, later than all, is none
    assert LeaveOneOut().assign(rows([1] * 4, [9, 3, 2, 1], positive=[0, 1, 1, 1])).codes.tolist() == [2, 2, 1, 0]


def test_leave_one_out_says_that_it_leaks():
    # the first test row is at 3; user 2 still trains on times 4 and 5
    assignment = LeaveOneOut().assign(rows([1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7]))
    assert "2 of 3 training rows" in assignment.leaks


def test_ratio_gives_exact_shares_that_depend_on_the_seed():
    first, again, other = (Ratio(0.2, 0.3, seed=seed).assign(rows([1] * 100, range(100))).codes for seed in (0, 0, 1))
    assert np.bincount(first).tolist() == [50, 20, 30]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shares", [(0.6, 0.5), (0.5, 0.5)])
def test_ratio_refuses_shares_that_leave_a_part_empty(shares):
    with pytest.raises(ConfigError, match="leave no rows"):
        Ratio(*shares)


def test_given_reads_every_name_of_validation():
    given = ["train", "val", "valid", "validation", "test"]
    assert Given("part").assign(rows([1] * 5, given=given)).codes.tolist() == [0, 1, 1, 1, 2]


def test_given_names_strange_values():
    with pytest.raises(DataError, match=r"2 rows are marked neither train, val nor test but None, 'dev'.*\n.*column 'part'"):
        Given("part").assign(rows([1] * 3, given=["train", "dev", None]))


def test_given_cuts_validation_from_each_users_training_rows():
    # user 1: 10 training rows, 2 of them cut; user 2: 4 rows, 0.8 rounds down to none
    given = ["train"] * 14 + ["test"]
    codes = Given("part", val_share=0.2, seed=3).assign(rows([1] * 10 + [2] * 4 + [1], given=given)).codes
    assert np.bincount(codes[:10]).tolist() == [8, 2]
    assert codes[10:].tolist() == [0, 0, 0, 0, 2]


def test_the_validation_that_given_cuts_is_random_and_depends_on_the_seed_alone():
    cuts = {tuple(Given("part", val_share=0.5, seed=seed).assign(rows([1] * 20, given=["train"] * 20)).codes) for seed in (0, 0, 1, 2)}
    assert len(cuts) == 3
    assert all(sum(codes) == 10 for codes in cuts)
    assert (1,) * 10 + (0,) * 10 not in cuts


def test_ratio_and_given_say_that_they_leak():
    # row 0, of training, is later than all others
    assert "1 of 1 training rows" in Given("part").assign(rows([1] * 3, [9, 1, 2], given=["train", "val", "test"])).leaks
    assert "training rows (" in Ratio(0.4, 0.4).assign(rows([1] * 10, range(10))).leaks


def test_ratio_refuses_one_share_of_nothing():
    for shares in ((0.0, 0.1), (0.1, 0.0), (1.0, 0.1)):
        with pytest.raises(ConfigError, match="share is"):
            Ratio(*shares)


def test_given_refuses_a_second_validation():
    with pytest.raises(ConfigError, match="marks 1 rows as validation"):
        Given("part", val_share=0.2).assign(rows([1] * 3, given=["train", "val", "test"]))


def leak(time, calendar=True, user=(1, 1, 2, 2)):
    return future_leak(rows(user, time, calendar=calendar), np.array([0, 0, 0, 2]))


def test_no_sentence_when_every_training_row_is_before_the_test():
    assert leak([1, 2, 3, 3]) is None


def test_training_rows_after_the_first_test_row_are_counted():
    assert "2 of 3 training rows (66.7%) are later than the first test row" in leak([1, 4, 5, 3])


def test_ranks_are_compared_within_the_user_only():
    # rows 0 and 1 are of another user, so their ranks 8 and 9 say nothing about the test row of rank 3; row 2 has rank 5
    assert "1 of 3 training rows (33.3%) are later than their own user's first test row" in leak([8, 9, 5, 3], calendar=False)


def test_ranks_in_order_leave_the_order_across_users_unknown():
    assert "across users none is known" in leak([8, 9, 2, 3], calendar=False)


def test_no_time_means_no_promise():
    assert "nothing is known of it" in leak(None)
