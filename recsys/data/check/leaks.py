"""How much of the future a split lets training see. N rows in file order."""

import numpy as np

NEVER = np.iinfo(np.int64).max


def future_leak(user: np.ndarray, time: np.ndarray | None, *, calendar: bool, train: np.ndarray, test: np.ndarray) -> str | None:
    """How many training rows are later than test rows, as a sentence; None when the rows show that none is.

    Args:
        user: [N] int32 user entity index.
        time: [N] int64; None when nothing is known of order.
        calendar: times compare across users; otherwise each user's rows are compared with that user's own test rows.
        train, test: [N] bool.
    """
    if time is None:
        return "the split leaks if the rows have an order: nothing is known of it, so training rows may be later than test rows"
    first_test = np.full(int(user.max()) + 1, NEVER, dtype=np.int64)
    np.minimum.at(first_test, user[test], time[test])
    if calendar:
        first_test[:] = first_test.min()
    late, rows = int(np.sum(time[train] > first_test[user[train]])), int(train.sum())
    if late:
        which = "the first test row" if calendar else "their own user's first test row"
        return (
            f"the split leaks the future: {late:,} of {rows:,} training rows ({late / rows:.1%}) are later than {which}; "
            "a temporal split would not"
        )
    if not calendar:
        return (
            "the split keeps the order within each user; across users none is known, "
            "so training may hold rows later than another user's test rows"
        )
    return None
