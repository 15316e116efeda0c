from recsys.report.markdown import code, prose, table


def test_table_aligns_text_left_and_numbers_right():
    assert table(["name", "rows"], [["a", "1"], ["b", "2"]]) == "| name | rows |\n| --- | ---: |\n| a | 1 |\n| b | 2 |"


def test_table_without_rows_is_nothing():
    assert table(["name"], []) == ""


def test_names_from_data_cannot_end_a_cell_or_a_code_span():
    assert code("a|b`c\nd") == "`a\\|b'c d`"
    assert code("") == "–"


def test_sentences_cannot_bring_markup():
    assert prose("<img src=x> [a](b) *c* | `d`\n# e") == "&lt;img src=x> \\[a\\](b) \\*c\\* \\| \\`d\\` # e"
