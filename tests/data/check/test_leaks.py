import numpy as np

from recsys.data.check.leaks import future_leak

TRAIN = np.array([True, True, True, False])
TEST = ~TRAIN


def leak(time, calendar=True, user=(1, 1, 2, 2)):
    time = None if time is None else np.array(time)
    return future_leak(np.array(user, dtype=np.int32), time, calendar=calendar, train=TRAIN, test=TEST)


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
