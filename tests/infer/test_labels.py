"""Labels in other words than 0 and 1."""

import pytest
import yaml

from recsys.infer.__main__ import main


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes 120 rows, a third of them with the first value in a column."""
    monkeypatch.chdir(tmp_path)

    def rows(column: str, one, zero):
        lines = [f"user_id,item_id,seq_pos,{column}"]
        lines += [f"{place % 6},{place % 10},{place},{one if place % 3 == 0 else zero}" for place in range(120)]
        (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")

    return rows


def infer(*arguments: str) -> dict:
    assert main(["a.csv", "--out", ".", "--name", "x", "--force", *arguments]) == 0
    with open("x.yaml") as file:
        return yaml.safe_load(file)


@pytest.mark.parametrize(("one", "zero"), [("Y", "N"), ("yes", "no"), ("T", "F"), ("On", "Off")])
def test_spoken_truth_is_read_as_1_and_0(write, capsys, one, zero):
    write("clicked", one, zero)
    config = infer()
    assert config["source"]["values"] == {"clicked": {one: 1, zero: 0}}
    assert config["positive"] == "clicked"
    assert "positives: 40, where 'clicked' is 1" in capsys.readouterr().out


@pytest.mark.parametrize(("one", "zero"), [("True", "False"), ("1", "0"), ("1.0", "0.0")])
def test_truth_in_plain_words_needs_no_values(write, capsys, one, zero):
    write("clicked", one, zero)
    assert infer()["source"]["values"] == {}
    assert "positives: 40," in capsys.readouterr().out


@pytest.mark.parametrize(
    ("one", "zero", "values"), [("bought", "left", {"bought": 1, "left": 0}), ("2", "1", {"2": 1, "1": 0}), ("1", "-1", {"1": 1, "-1": 0})]
)
def test_two_other_values_are_asked_about(write, capsys, one, zero, values):
    write("purchase", one, zero)
    assert main(["a.csv", "--out", ".", "--name", "x"]) == 3
    assert "--label purchase=" in capsys.readouterr().err
    assert infer("--label", f"purchase={one}")["source"]["values"] == {"purchase": values}
    assert "positives: 40," in capsys.readouterr().out
    assert infer("--not-label", "purchase")["labels"] == []


def test_label_that_is_1_or_missing_is_asked_about(write, capsys):
    write("clicked", 1, "")
    assert main(["a.csv", "--out", ".", "--name", "x"]) == 3
    assert "--label clicked=1" in capsys.readouterr().err
    assert infer("--label", "clicked=1")["source"]["values"] == {"clicked": {"1": 1, None: 0}}
    assert "positives: 40," in capsys.readouterr().out


def test_value_of_an_event_becomes_a_label(write, capsys):
    write("event_type", "cart", "view")
    assert infer("--label", "event_type=cart")["labels"] == [{"_target_": "recsys.schema.Label", "column": "event_type"}]
    assert "positives: 40," in capsys.readouterr().out
    assert main(["a.csv", "--out", ".", "--name", "x", "--force", "--label", "event_type=carts"]) == 3
    assert "did you mean 'cart'?" in capsys.readouterr().err


def test_rows_without_a_user_are_proposed_where_there_are_labels(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = ["device,age,clicked", *(f"{['tv', 'web'][place % 2]},{place % 60},{int(place % 3 == 0)}" for place in range(120))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert main(["a.csv", "--out", ".", "--name", "x"]) == 3
    assert "--user null" in capsys.readouterr().err
    config = infer("--user", "null", "--item", "null")
    assert (config["user"], config["item"], config["positive"]) == (None, None, "clicked")
    assert config["split"]["_target_"] == "recsys.data.split.Ratio"
