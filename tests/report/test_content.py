from recsys.report.content import Estimate, Grid, column_kind


def test_a_flat_grid_has_bounds_beside_their_column_and_names_the_run():
    rows = (("mine", Estimate(0.5, 0.4, 0.6), Estimate(0.1)), ("other", Estimate(0.3), None))
    flat = Grid("g", "t", ("", "recall@20", "ndcg@20"), rows, marks=("own", "")).flat()
    assert flat.columns == ("", "recall@20", "recall@20 from", "recall@20 to", "ndcg@20")
    assert flat.rows == (("mine (this run)", 0.5, 0.4, 0.6, 0.1), ("other", 0.3, None, None, None))


def test_a_grid_without_estimates_is_flat():
    grid = Grid("g", "t", ("a", "b"), (("x", 1), ("y", None)))
    assert grid.flat() == grid


def test_a_column_is_set_by_what_it_holds():
    assert column_kind([1, 2.5, Estimate(1.0), None]) == "number"
    assert column_kind(["a", None]) == column_kind([None]) == column_kind([]) == "text"
    assert column_kind(["a" * 46]) == "prose"
    assert column_kind(["a\nb"]) == "lines"
