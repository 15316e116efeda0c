import os

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from recsys.disk.folders import point
from recsys.errors import ConfigError, IntegrityError, ResourceError
from recsys.run import checkpoint
from recsys.run.checkpoint import STATE, distinct, load_checkpoint, load_state, tidy, write_checkpoint

TENSORS, DOCUMENT = {"moment": torch.arange(3.0)}, {"place": [1, {"tensor": "moment"}]}


def line(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(2, 1).state_dict()


def test_weights_and_state_come_back(tmp_path):
    weights = line()
    folder = write_checkpoint(weights, tmp_path, about={"step": 7}, state=(TENSORS, DOCUMENT))
    model = nn.Linear(2, 1)
    assert load_checkpoint(model, folder)["step"] == 7
    assert torch.equal(model.weight, weights["weight"])
    tensors, document = load_state(folder)
    assert torch.equal(tensors["moment"], TENSORS["moment"])
    assert document == DOCUMENT


def test_files_are_for_everybody_whom_other_files_are_for(tmp_path):
    folder = write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT))
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_shared_memory_is_saved_once(tmp_path):
    table = torch.ones(2, 2)
    folder = write_checkpoint({"b": table, "a": table, "c": table.clone(), "none": torch.empty(0)}, tmp_path, about={"step": 1})
    assert sorted(load_file(folder / "model.safetensors")) == ["a", "c", "none"]
    assert sorted(distinct({"whole": table, "row": table[0]})) == ["row", "whole"]


@pytest.mark.parametrize("full", [OSError(28, "No space left on device"), checkpoint.SafetensorError("I/O error: No space left on device")])
def test_full_disk_leaves_the_old_checkpoint_and_no_trace(tmp_path, monkeypatch, full):
    point(tmp_path / "last", write_checkpoint(line(), tmp_path, about={"step": 1}))
    before = (tmp_path / "last" / "model.safetensors").read_bytes()

    def half(tensors, path, metadata=None):
        with open(path, "wb") as file:
            file.write(b"half")
        raise full

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(ResourceError, match=r"No space left on device, with [\d,]+ bytes free\n.*" + str(tmp_path)):
        write_checkpoint(line(1), tmp_path, about={"step": 2})
    assert (tmp_path / "last" / "model.safetensors").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_every_file_is_on_disk_before_its_folder_is_named_and_before_the_link_is(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        steps.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def renamed(source, target):
        steps.append(f"-> {os.path.basename(target)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    folder = write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT))
    point(tmp_path / "last", folder)
    named = steps.index(f"-> {folder.name}")
    assert {"model.safetensors", "state.safetensors", "checkpoint.json"} < set(steps[:named])
    assert steps[named + 1 :] == [tmp_path.name, "-> last", tmp_path.name]


def test_what_a_killed_process_left_is_removed_by_the_next_checkpoint(tmp_path):
    (tmp_path / ".step.0123abcd.partial").mkdir()
    folder = write_checkpoint(line(), tmp_path, about={"step": 1})
    assert os.listdir(tmp_path) == [folder.name]


def test_state_goes_with_last_and_weights_with_best(tmp_path):
    one, two, three = (write_checkpoint(line(step), tmp_path, about={"step": step}, state=(TENSORS, DOCUMENT)) for step in (1, 2, 3))
    point(tmp_path / "best", one)
    point(tmp_path / "last", three)
    tidy(tmp_path)
    assert not two.exists()
    assert not (one / STATE).exists()
    assert (one / "model.safetensors").exists()
    assert (three / STATE).exists()


def test_state_that_was_tidied_away_comes_back_with_the_same_checkpoint(tmp_path):
    folder = write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT))
    (folder / STATE).unlink()
    assert write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT)) == folder
    assert load_state(folder)[1] == DOCUMENT


def test_same_step_and_weights_with_another_state_gets_its_own_folder(tmp_path):
    one = write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT))
    assert one != write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, {"place": 2}))


def test_flipped_bit_in_the_state_is_found(tmp_path):
    folder = write_checkpoint(line(), tmp_path, about={"step": 1}, state=(TENSORS, DOCUMENT))
    content = bytearray((folder / STATE).read_bytes())
    content[-1] ^= 1
    (folder / STATE).write_bytes(content)
    with pytest.raises(IntegrityError, match=r"state\.safetensors is not the file that was written"):
        load_state(folder)


def test_moving_the_link_never_leaves_it_missing(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    point(tmp_path / "best", tmp_path / "one")

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        point(tmp_path / "best", tmp_path / "two")
    assert (tmp_path / "best").resolve() == tmp_path / "one"
    monkeypatch.undo()
    point(tmp_path / "best", tmp_path / "two")
    assert (tmp_path / "best").resolve() == tmp_path / "two"


def test_same_step_with_other_weights_gets_its_own_folder(tmp_path):
    one = write_checkpoint(line(), tmp_path, about={"step": 1})
    other = write_checkpoint(line(1), tmp_path, about={"step": 1})
    assert one != other


def test_flipped_bit_is_found(tmp_path):
    model = nn.Linear(2, 1)
    folder = write_checkpoint(model.state_dict(), tmp_path, about={"step": 1})
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="not the file that was written"):
        load_checkpoint(model, folder)


def test_weights_of_another_model_are_refused(tmp_path):
    folder = write_checkpoint(line(), tmp_path, about={"step": 1})
    with pytest.raises(IntegrityError, match="belong to another model"):
        load_checkpoint(nn.Linear(3, 1), folder)


def test_missing_checkpoint_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint"):
        load_checkpoint(nn.Linear(2, 1), tmp_path / "best")
