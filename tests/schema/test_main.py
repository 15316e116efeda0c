"""`python -m recsys.schema infer`, the former words for `python -m recsys.infer`."""

import runpy
import sys

import polars as pl
import pytest


@pytest.fixture
def exit_code(tmp_path, monkeypatch):
    """Runs `python -m <words>` in a folder with one table of interactions; gives the exit code."""
    pl.DataFrame({"user_id": [1, 1, 2] * 20, "item_id": [7, 8, 9] * 20}).write_parquet(tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path)

    def run(module, *words):
        monkeypatch.setattr(sys, "argv", ["python", *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        return ended.value.code

    return run


@pytest.mark.parametrize(
    ("words", "code"),
    [(["rows.parquet", "--out", "."], 0), ([], 2), (["rows.parquet", "--out", "nowhere"], 2), (["absent.parquet", "--out", "."], 3)],
)
def test_former_words_say_the_new_ones_and_do_the_same(exit_code, tmp_path, capsys, words, code):
    assert exit_code("recsys.infer", *words) == code
    new, written = capsys.readouterr(), {path: path.read_text() for path in tmp_path.glob("*.yaml")}
    for path in written:
        path.unlink()
    assert exit_code("recsys.schema", "infer", *words) == code
    former = capsys.readouterr()
    first, _, rest = former.err.partition("\n")
    assert "python -m recsys.infer" in first
    assert (rest, former.out) == (new.err, new.out)
    assert {path: path.read_text() for path in tmp_path.glob("*.yaml")} == written
    assert len(written) == (code == 0)


@pytest.mark.parametrize(("word", "code"), [("rows.parquet", 2), ("--help", 0)])
def test_other_words_name_the_new_command(exit_code, capsys, word, code):
    assert exit_code("recsys.schema", word) == code
    assert "python -m recsys.infer" in capsys.readouterr().err
