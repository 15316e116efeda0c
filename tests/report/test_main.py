import json

import pytest

from recsys.report.__main__ import main


def test_a_page_is_made_again(retrieval, capsys):
    run = retrieval("a")
    main([str(run)])
    assert capsys.readouterr().out == f"report: {run / 'report.html'}\n"
    assert (run / "report.html").read_text().startswith("<!doctype html>")


def test_runs_are_compared_on_the_terminal_as_json_and_as_a_page(retrieval, tmp_path, capsys):
    runs = [str(retrieval("a")), str(retrieval("b", [1, 1, 1, 1]))]
    main(["compare", *runs, "--out", str(tmp_path / "out")])
    assert "b beside a: 4 users" in capsys.readouterr().out
    main(["compare", *runs, "--json"])
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "out" / "compare.json").read_text())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["compare.html", "compare.json"]


def test_what_it_refuses_is_said_without_a_trace(forked, retrieval, ranking, tmp_path):
    done = forked("-m", "recsys.report", "compare", str(retrieval("a")), str(ranking("b")), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Config error: 1 problem:\n  1. the runs have different tasks")
    assert "Traceback" not in done.stderr


def test_one_run_is_nothing_to_compare(retrieval, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(retrieval("a"))])
    assert ended.value.code == 2
    assert "name two runs or more" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_place_of_the_folder_is_refused_before_the_work(tmp_path, capsys, below):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["compare", "nowhere", "neither", "--out", str(tmp_path / "out" / below)])
    assert ended.value.code == 2
    assert f"{tmp_path / 'out'} is no folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"
