import io

from rich.console import Console

from recsys.report.content import Estimate, Grid
from recsys.report.terminal import BAR_WIDTH, bar, grid_table


def lines(grid, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(grid_table(grid))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_bar_is_as_long_as_its_share():
    assert bar(1.0) == "█" * BAR_WIDTH
    assert bar(0.0) == bar(-1.0) == ""
    assert bar(1 / BAR_WIDTH / 2) == "▌"  # half of one character


def test_bars_begin_where_the_grid_says_and_the_largest_is_full():
    text = lines(Grid("g", "t", ("name", "auc"), (("a", 0.9), ("b", 0.7), ("c", 0.4)), bars=0.5))
    assert [line.split()[2:] for line in text[3:6]] == [["████████"], ["████"], []]
    assert lines(Grid("g", "t", ("name", "auc"), (("a", 0.0),), bars=0.0))[-1].split() == ["a", "0.0000"]


def test_intervals_stand_below_the_run_itself_and_what_it_is_held_against_alone():
    rows = tuple((name, Estimate(0.5, 0.4, 0.6)) for name in "abc")
    text = lines(Grid("g", "t", ("", "recall@20"), rows, marks=("own", "reference", "")))
    assert [line.split() for line in text[3:]] == [["a", "0.5000"], ["0.400–0.600"], ["b", "0.5000"], ["0.400–0.600"], ["c", "0.5000"]]


def test_the_name_of_a_group_is_written_once():
    text = lines(Grid("g", "t", ("group", "value", "auc"), (("age", "1", 0.5), ("age", "2", 0.5), ("land", "2", 0.5))))
    assert [line.split()[:-1] for line in text[3:]] == [["age", "1"], ["2"], ["land", "2"]]


def test_values_are_no_markup_and_a_note_stands_below():
    text = lines(Grid("g", "[red]t[/]", ("[b]", "x"), (("[bold]a[/]", 1),), note="a note"))
    assert text[0] == "[red]t[/]"
    assert text[-1] == "a note"
    assert any(line.startswith("[bold]a[/]") for line in text)


def test_a_title_is_not_broken_by_a_narrow_table():
    title = "Whole catalogue ranked for 3,258 of 3,331 users (73 have nothing new to find)"
    assert lines(Grid("g", title, ("a",), (("b",),)))[0] == title
