"""Six negatives (0 2 3 4 6 7), two positives (1 5), one row without the label (8); of the shop of conftest two of eight rows (1 7)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from recsys.data.read.negatives import negative_sample
from recsys.errors import ConfigError
from recsys.schema import Label, Schema

NAN = float("nan")
CLICK = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, NAN]
FUNNEL = (Label("click"), Label("buy", given="click"))


def sampled(share, labels=FUNNEL, click=CLICK):
    columns = {label.column: torch.tensor(click) for label in labels}
    split = torch.zeros(len(click), dtype=torch.uint8)
    return negative_sample(SimpleNamespace(schema=Schema("user", "item", labels=labels), labels=columns, split=split), share)


def drawn(sample, seed):
    return sorted(sample.draw(np.random.default_rng(seed)).tolist())


def refused(*arguments):
    """(what, where, remedy) of the one fault."""
    with pytest.raises(ConfigError) as caught:
        sampled(*arguments)
    (fault,) = caught.value.faults
    return fault.what, fault.where, fault.remedy


def test_every_epoch_reads_all_other_rows_and_as_many_negatives():
    sample = sampled(0.5)
    epochs = [drawn(sample, seed) for seed in range(40)]
    for rows in epochs:
        assert {1, 5, 8} < set(rows)
        assert len(set(rows)) == len(rows) == sample.num_rows == 6
    # each of the six negatives is in about half of the epochs
    times = np.bincount(np.concatenate(epochs), minlength=9)[[0, 2, 3, 4, 6, 7]]
    assert times.min() > 8
    assert times.sum() == 40 * 3


def test_the_share_is_that_of_whole_rows():
    assert sampled(0.4).kept == 2  # of 2.4
    assert sampled(0.45).kept == 3  # of 2.7
    assert sampled(0.4).share == pytest.approx(1 / 3)


def test_all_rows_are_no_sample():
    assert sampled(1.0) is None
    assert sampled(1.0, (Label("click"), Label("like"))) is None


def test_only_training_rows_are_left_out(store):
    sample = negative_sample(store, 0.5)
    # ann's rows 0 1 2 5, bob's 3 4 6, cid's 7; the last negative, row 12, is of the test
    assert sample.negative.tolist() == [False, True, False, False, False, False, False, True]
    assert (sample.kept, sample.num_rows) == (1, 7)


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_that_is_none_is_refused(share):
    what, where, remedy = refused(share)
    assert (what, where) == (f"keep_negatives is {share}", "task.keep_negatives")
    assert "(0, 1]" in remedy


def test_a_share_that_keeps_no_row_is_refused():
    what, where, remedy = refused(0.05)
    assert what == "0.05 of the 6 training rows where 'click' is 0 is no row"
    assert where == "task.keep_negatives"
    assert "larger share" in remedy


def test_two_labels_that_are_given_no_other_are_refused():
    what, where, remedy = refused(0.5, (Label("click"), Label("like"), Label("buy", given="click")))
    assert what.startswith("'click', 'like' are each given no other label: ")
    assert "how often the rest occur" in what
    assert where == "task.keep_negatives"
    assert "data.labels" in remedy


def test_a_first_label_that_is_a_number_is_refused():
    what, where, _ = refused(0.5, (Label("spend", kind="regression"),))
    assert what == "'spend', which is given no other label, is a number: no row is its negative"
    assert where == "task.keep_negatives"
