"""Checkpoints on disk, published whole: `checkpoints/last` goes on with training, `checkpoints/best` has the weights to test and export.

A checkpoint is a folder `step-<n>-<hash>` that is written aside, synced and renamed; `last` and `best` are links to such folders,
replaced in one step. Everything in it is plain tensors and JSON; nothing is ever unpickled.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_file
from torch import Tensor, nn

from recsys.disk import file_sha256, move_synced, writing
from recsys.disk.folders import partial_folder, remove_whole
from recsys.disk.records import RESTORE, numbers_by_name, read_record, reading, require_type
from recsys.errors import ConfigError, Fault, IntegrityError
from recsys.run.directory import ABOUT

State = tuple[Mapping[str, Tensor], Any]
"""Tensors, and a JSON document."""
WEIGHTS, STATE = "model.safetensors", "state.safetensors"
FACTS: dict[str, Any] = {"step": int, "epoch": int, "monitor": str, "metrics": dict, "value": (int, float, type(None))}
FACTS |= {"sha256": str, "state_sha256": (str, type(None))}
"""{key of checkpoint.json: types of its value}."""


def write_checkpoint(weights: Mapping[str, Tensor], folder: Path, *, about: Mapping, state: State | None = None) -> Path:
    """Write `folder/step-<n>-<hash of its content>` in one rename: weights, what training needs to go on, and `checkpoint.json`.

    Args:
        weights: a model's state dict, on any device; tensors that share their memory are saved once.
        folder: created if need be.
        about: at least "step"; saved as JSON beside the sha256 of the files.
        state: as `load_state` gives it back; None = weights alone.
    Returns:
        The published folder.
    Raises:
        ResourceError: the disk is full, or may not be written. What stood there before is untouched.
    """
    with writing(folder), partial_folder(folder / "step") as partial:
        save_file(distinct(weights), str(partial / WEIGHTS))
        facts = {**about, "sha256": file_sha256(partial / WEIGHTS), "state_sha256": None}
        if state is not None:
            tensors, document = state
            save_file(dict(tensors), str(partial / STATE), metadata={"document": json.dumps(document)})
            facts["state_sha256"] = file_sha256(partial / STATE)
        (partial / ABOUT).write_text(json.dumps(facts, indent=2) + "\n")
        for path in partial.glob("*.safetensors"):
            shutil.copymode(partial / ABOUT, path)  # safetensors lets the owner alone read its files
        content = hashlib.sha256(f"{facts['sha256']} {facts['state_sha256']}".encode()).hexdigest()
        published = folder / f"step-{about['step']:08d}-{content[:8]}"
        if not published.exists():
            move_synced(partial, published)
        elif state is not None:  # the same content, but for a state that `tidy` has removed
            move_synced(partial / STATE, published / STATE)
        return published


def distinct(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a state dict, contiguous; of those that are one piece of memory the first by name."""
    names: dict[Any, str] = {}
    for name in sorted(state):
        tensor = state[name]
        place = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        names.setdefault(place, name)
    return {name: state[name].detach().contiguous() for name in names.values()}


def tidy(folder: Path) -> None:
    """Remove checkpoints that no link names, and the state of one that is only the best, since `last` alone goes on."""
    links = {link.name: link.resolve() for link in folder.iterdir() if link.is_symlink()}
    for path in folder.glob("step-*"):
        if path.resolve() not in links.values():
            remove_whole(path)
        elif path.resolve() != links.get("last"):
            (path / STATE).unlink(missing_ok=True)


def load_checkpoint(model: nn.Module, folder: Path) -> dict:
    """Load weights into a model of the same shape.

    Args:
        folder: a checkpoint, such as `<run>/checkpoints/best`.
    Returns:
        Content of checkpoint.json: step, epoch, monitor, value, metrics (of validation, None where not finite), sha256.
    Raises:
        ConfigError: there is no such checkpoint.
        IntegrityError: the weights are not those that were written, or belong to another model.
    """
    folder = _within(folder)  # a link that moves meanwhile must not mix two checkpoints
    if not (folder / WEIGHTS).exists():
        raise ConfigError(Fault("no checkpoint", str(folder), "name the directory of a run that finished an evaluation"))
    about = checkpoint_facts(folder)
    _check_written(folder / WEIGHTS, about["sha256"])
    try:
        load_model(model, str(folder / WEIGHTS))
    except (RuntimeError, SafetensorError, ValueError) as error:
        what = f"the weights belong to another model: {' '.join(str(error).split()):.300}"
        raise IntegrityError(Fault(what, str(folder), "use the run's own config.yaml")) from error
    return about


def load_state(folder: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors, on the CPU, and JSON document that training goes on with; an IntegrityError where they are not those that were written."""
    folder = _within(folder)
    _check_written(folder / STATE, checkpoint_facts(folder).get("state_sha256"))
    with reading(folder / STATE), safe_open(folder / STATE, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["document"])  # noqa: SIM118


def checkpoint_facts(folder: Path) -> dict:
    """Read checkpoint.json of a checkpoint; see `load_checkpoint`."""
    return read_record(folder / ABOUT, _facts)


def _facts(document: Any) -> dict:
    """A checked `checkpoint.json`: numbers, names and a hash, nothing that names a file or a class."""
    for key, value in require_type(document, dict, "it").items():
        require_type(value, FACTS.get(key, ()), f"'{key}'")
    hashes = [document["sha256"], document.get("state_sha256") or document["sha256"]]
    if document["step"] < 0 or not all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in hashes):
        raise ValueError("'step' is below 0, or a sha256 is not 64 hexadecimal digits")
    numbers_by_name(document.get("metrics", {}), "metric")
    return document


def _within(folder: Path) -> Path:
    """The folder of a checkpoint; a link may name a folder beside itself, no other."""
    with reading(folder):
        target = folder.resolve()
    if target.parent != folder.parent.resolve():
        raise IntegrityError(Fault(f"it leads to {target}, out of the run", str(folder), "name a run as train.py left it"))
    return target


def _check_written(path: Path, sha256: str | None) -> None:
    with reading(path):
        if path.is_symlink() or not path.is_file():
            raise ValueError("it is no regular file")
        written = file_sha256(path) == sha256
    if not written:
        raise IntegrityError(Fault(f"{path.name} is not the file that was written", str(path.parent), RESTORE))
