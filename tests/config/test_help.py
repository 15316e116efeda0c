from recsys.config.launch import EXIT_CODES, help_text


def test_help_lists_choices_defaults_examples_and_exit_codes(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    files = {
        "train": "defaults:\n  - task: retrieval\n  - _self_\n  - experiment: null\nseed: 0\n",
        "task/retrieval": "# @package _global_\ndefaults:\n  - /loss: bpr\n  - /tower@model.user: mlp\n",
        "loss/bpr": "a: 1\n",
        "loss/softmax": "a: 1\n",
        "tower/mlp": "a: 1\n",
        "baseline/ease": "a: 1\n",
        "experiment/movielens": "a: 1\n",
    }
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    text = help_text("train", about="Train.\n\n    And more.", conf=(tmp_path,), examples=("python train.py loss=bpr",))
    lines = [line.split() for line in text.splitlines()]
    assert ["loss=", "[bpr],", "softmax"] in lines
    assert ["task=", "[retrieval]"] in lines
    assert ["tower@model.user=", "[mlp]"] in lines
    assert ["experiment=", "movielens"] in lines
    assert not any(line and line[0] == "baseline=" for line in lines)  # nothing is chosen from it at the root
    assert "  python train.py loss=bpr" in text
    assert EXIT_CODES in text
    assert text.startswith("Train.\n\nAnd more.")
