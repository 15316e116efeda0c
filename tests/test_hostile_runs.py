"""Run directories that were written to do harm: what reads them says what is wrong with which file, and runs none of it.

The file `canary` appears if a payload ran; an audit hook sees every unpickling.
"""

import ast
import json
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.base import composed
from recsys.config import build, save_config
from recsys.disk import file_sha256
from recsys.disk.folders import point
from recsys.errors import IntegrityError, RecsysError
from recsys.run.checkpoint import write_checkpoint
from recsys.run.directory import RunDirectory, write_tested
from recsys.schema import Categorical, Label, Schema, Statistics
from recsys.task.ranking.teacher import saved_calibrations

HOME = Path(__file__).parent.parent
EVENTS = ("pickle.find_class", "os.system", "subprocess.Popen", "socket.connect")
seen: list[str] = []
sys.addaudithook(lambda event, _: seen.append(event) if event in EVENTS else None)

LABELS = (Label("click"), Label("buy", given="click"))
SCHEMA = Schema("user", "item", features=(Categorical("item", "item"),), labels=LABELS).fitted({"item": Statistics("int64", 5)})
DATA = (
    "task=ranking",
    "model=shared_bottom",
    "data=tables",
    "data.name=x",
    "data.root=folder",
    "data.source.interactions=x.parquet",
    "data.user=user",
    "data.item=item",
    "data.time=null",
    "data.features=[{_target_:recsys.schema.Categorical,column:item,entity:item}]",
    "data.labels=[{_target_:recsys.schema.Label,column:click},{_target_:recsys.schema.Label,column:buy,given:click}]",
)
METRICS = {"test/click/auc": 0.75}


class Payload:
    """Touches `canary` when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch canary",)


@pytest.fixture(scope="module")
def config():
    return composed(*DATA)


@pytest.fixture
def run(tmp_path, monkeypatch, config):
    """A finished run, but for its store; neither unpickling nor processes while it is read."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    save_config(config, run / "config.yaml")
    SCHEMA.save(run / "schema.json")
    write(run / "lineage.json", {"store": str(tmp_path / "store")})
    write(run / "metrics.json", METRICS)
    write(run / "calibration.json", {label.column: {"slope": 1.0, "intercept": 0.0} for label in LABELS})
    written = write_checkpoint(
        build(config.task).model(config, SCHEMA).state_dict(),
        run / "checkpoints",
        about={"step": 3, "epoch": 0, "metrics": {"val/click/auc": 0.7}},
    )
    point(run / "checkpoints" / "best", written)
    write_tested(run, file_sha256(written / "model.safetensors"))
    seen.clear()
    yield run
    assert seen == []
    assert not list(tmp_path.rglob("canary"))


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def read(run):
    """Everything that export.py reads of a run, in its order."""
    finished = RunDirectory.finished(run)
    model, about = finished.model()
    metrics = finished.metrics_of(about)
    calibrations = saved_calibrations(finished, about)
    return finished, model, metrics, calibrations


def refused(run, name, kind=IntegrityError):
    """The one line that says what is wrong; it names the file."""
    with pytest.raises(kind) as caught:
        read(run)
    (fault,) = caught.value.faults
    assert name in fault.where or name in fault.what
    assert len(fault.what) < 500
    assert "\n" not in fault.what
    assert fault.remedy
    return fault.what


def test_an_honest_run_is_read(run):
    finished, model, metrics, calibrations = read(run)
    assert finished.task == "ranking"
    assert not model.training
    assert metrics == METRICS
    assert set(calibrations) == {"click", "buy"}


def weights(run):
    return run / "checkpoints" / "best" / "model.safetensors"


def signed(run, content):
    """Replaces the weights, and their sha256 too: whoever can write one can write the other."""
    path = weights(run)
    path.write_bytes(content)
    about = json.loads((path.parent / "checkpoint.json").read_text())
    write(path.parent / "checkpoint.json", about | {"sha256": file_sha256(path)})


def zipped(tmp_path):
    """200 MB of zeros in 200 kB, with a pickle as torch.save writes it."""
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
        archive.writestr("archive/data/0", bytes(200_000_000))
    return (tmp_path / "bomb").read_bytes()


def torch_saved(tmp_path):
    torch.save({"state_dict": Payload()}, tmp_path / "saved")
    return (tmp_path / "saved").read_bytes()


def header(size, text=b"{}"):
    return struct.pack("<Q", size) + text


@pytest.mark.parametrize(
    "content",
    [
        lambda _: pickle.dumps(Payload()),
        torch_saved,
        zipped,
        lambda _: header(2**63),
        lambda _: header(10**9),
        lambda _: header(100_000_001, b"{" * 1000),
        lambda _: header(50_000_000, b'{"a":' + b"[" * 49_999_995),
        lambda _: header(60, b'{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}'[:60]),
        lambda _: header(68, b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,99999]}}') + bytes(8),
        lambda _: b"",
        lambda _: b"\x80\x04",
        lambda _: bytes(1_000),
    ],
    ids=["pickle", "torch_save", "zip_bomb", "endless", "large", "larger", "deep", "cut", "shape", "empty", "short", "zeros"],
)
def test_weights_that_are_no_safetensors_are_refused_though_their_hash_is_right(run, tmp_path, content):
    signed(run, content(tmp_path))
    assert refused(run, "checkpoints").startswith("the weights belong to another model")


def test_weights_whose_hash_is_wrong_are_not_opened(run, monkeypatch):
    weights(run).write_bytes(pickle.dumps(Payload()))
    monkeypatch.setattr("recsys.run.checkpoint.load_model", lambda *_: pytest.fail("opened"))
    assert refused(run, "checkpoints") == "model.safetensors is not the file that was written"


def test_weights_of_another_shape_or_with_more_names_are_refused(run, tmp_path):
    tensors = load_file(weights(run))
    save_file(tensors | {"../../evil" + "x" * 1_000_000: torch.zeros(1)}, tmp_path / "more")
    signed(run, (tmp_path / "more").read_bytes())
    refused(run, "checkpoints")


def test_pickles_beside_the_weights_are_not_read(run):
    for name in (
        "last.ckpt",
        "hpc_ckpt_1.ckpt",
        "checkpoints/best/model.ckpt",
        "checkpoints/best/pytorch_model.bin",
        "checkpoints/best.pt2",
    ):
        (run / name).write_bytes(pickle.dumps(Payload()))
    read(run)


def test_checkpoint_that_leads_out_of_the_run_is_refused(run, tmp_path):
    inside = (run / "checkpoints" / "best").resolve()
    inside.rename(tmp_path / "elsewhere")
    (run / "checkpoints" / "best").unlink()
    (run / "checkpoints" / "best").symlink_to(tmp_path / "elsewhere")
    assert "out of the run" in refused(run, "checkpoints/best")


def test_link_in_place_of_the_weights_is_refused(run, tmp_path):
    weights(run).rename(tmp_path / "elsewhere")
    weights(run).symlink_to(tmp_path / "elsewhere")
    assert "no regular file" in refused(run, "model.safetensors")


def test_link_in_a_circle_is_refused(run):
    (run / "checkpoints" / "best").unlink()
    (run / "checkpoints" / "best").symlink_to("best")
    refused(run, "checkpoints/best")


ABOUT = {"step": 3, "epoch": 0, "metrics": {}, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "document",
    [
        ABOUT | {"_class_path": "os.system"},
        ABOUT | {"_instantiator": "evil.system", "hyper_parameters": {"_target_": "os.system"}},
        ABOUT | {"file": "../../../etc/passwd"},
        ABOUT | {"sha256": "../" * 20},
        ABOUT | {"sha256": None},
        ABOUT | {"step": "../../x"},
        ABOUT | {"step": -1},
        ABOUT | {"step": 1.5},
        ABOUT | {"step": True},
        ABOUT | {"metrics": {"a": "x"}},
        ABOUT | {"metrics": {"a": {"_target_": "os.system"}}},
        ABOUT | {"metrics": [1]},
        ABOUT | {"epoch": {}},
        {"step": 3},
        {"sha256": "0" * 64},
        [],
        None,
        "null",
        "{",
        '{"step": 1e999}',
        '{"step": NaN}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"step": ' + "9" * 10_000 + "}",
        '"' + "x" * 11_000_000 + '"',
        "\x80\x04\x95",
    ],
    ids=lambda document: str(document)[:40],
)
def test_strange_checkpoint_json_is_refused(run, document):
    write(run / "checkpoints" / "best" / "checkpoint.json", document)
    refused(run, "checkpoint.json")


GOOD = {"kind": "Categorical", "column": "item", "entity": "item", "min_count": 1, "buckets": 0}
FITTED = {"dtype": "int64", "size": 5, "mean": 0.0, "std": 1.0, "boundaries": [], "vocabulary_sha256": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"features": [GOOD | {"kind": "os.system"}]},
        {"features": [GOOD | {"_target_": "os.system"}]},
        {"features": [GOOD | {"_instantiator": "x"}]},
        {"features": [GOOD | {"column": "../../etc/passwd"}]},
        {"features": [GOOD | {"column": ["item"]}]},
        {"features": [GOOD | {"buckets": 2**40}]},
        {"features": [GOOD | {"min_count": "x"}]},
        {"features": [{"kind": "Schema", "user": "x"}]},
        {"features": [{}]},
        {"features": {}},
        {"features": [5]},
        {"labels": [{"column": "click", "_class_path": "x"}]},
        {"labels": []},
        {"labels": "click"},
        {"user": "../x"},
        {"statistics": {"item": FITTED | {"dtype": "object"}}},
        {"statistics": {"item": FITTED | {"size": -5}}},
        {"statistics": {"item": FITTED | {"size": 2**60}}},
        {"statistics": {"item": FITTED | {"size": 5.0}}},
        {"statistics": {"item": FITTED | {"mean": float("nan")}}},
        {"statistics": {"item": FITTED | {"std": float("inf")}}},
        {"statistics": {"item": FITTED | {"boundaries": ["x"]}}},
        {"statistics": {"item": FITTED | {"vocabulary_sha256": "../../x"}}},
        {"statistics": {"item": FITTED | {"path": "../../x"}}},
        {"statistics": []},
        {"_class_path": "os.system"},
    ],
    ids=str,
)
def test_strange_schema_is_refused(run, change):
    document = json.loads((run / "schema.json").read_text())
    write(run / "schema.json", document | change)
    with pytest.raises(RecsysError) as caught:
        read(run)
    assert caught.value.exit_code in (3, 4)


@pytest.mark.parametrize("document", ["", "{", "[]", "5", "[" * 100_000, '{"features": []}', "\x00"], ids=lambda text: text[:10])
@pytest.mark.parametrize("name", ["schema.json", "tested.json", "metrics.json", "calibration.json", "checkpoints/best/checkpoint.json"])
def test_what_is_no_document_is_refused_with_the_file(run, name, document):
    write(run / name, document)
    refused(run, Path(name).name)


@pytest.mark.parametrize("name", ["schema.json", "tested.json", "metrics.json", "calibration.json", "checkpoints/best/checkpoint.json"])
def test_what_is_no_file_is_refused(run, name):
    (run / name).unlink()
    (run / name).mkdir()
    refused(run, Path(name).name)
    (run / name).rmdir()
    os.mkfifo(run / name)  # reading it would never end
    refused(run, Path(name).name)


@pytest.mark.parametrize("sha256", [5, None, "abc", ["0" * 64], "0" * 63 + "\n", "z" * 64])
def test_hash_of_tested_weights_that_is_none_is_refused(run, sha256):
    write(run / "tested.json", {"sha256": sha256})
    refused(run, "tested.json")


@pytest.mark.parametrize("value", ["x", [1], {"_target_": "os.system"}, True])
def test_metric_that_is_no_number_is_refused(run, value):
    write(run / "metrics.json", {"test/click/auc": value})
    assert "metric 'test/click/auc' has to be" in refused(run, "metrics.json")


def test_metrics_that_are_not_finite_are_none(run):
    write(run / "metrics.json", '{"a": NaN, "b": 1e999, "c": -Infinity, "d": null, "e": 0.5}')
    assert read(run)[2] == {"a": None, "b": None, "c": None, "d": None, "e": 0.5}


PLAIN = {"slope": 1.0, "intercept": 0.0}


@pytest.mark.parametrize(
    "document",
    [
        {"click": PLAIN},
        {"click": PLAIN, "buy": PLAIN, "../x": PLAIN},
        {"click": PLAIN, "buy": {"slope": 1.0}},
        {"click": PLAIN, "buy": PLAIN | {"_class_path": "os.system"}},
        {"click": PLAIN, "buy": {"slope": float("nan"), "intercept": 0.0}},
        {"click": PLAIN, "buy": {"slope": 1e999, "intercept": 0.0}},
        {"click": PLAIN, "buy": {"slope": [[1.0]] * 3, "intercept": [1.0]}},
        {"click": PLAIN, "buy": {"slope": "1", "intercept": 0.0}},
        {"click": PLAIN, "buy": {"slope": None, "intercept": 0.0}},
        {"click": PLAIN, "buy": 5},
        {"click": PLAIN, "buy": {"slope": {"_target_": "os.system"}, "intercept": 0.0}},
    ],
    ids=str,
)
def test_strange_calibration_is_refused(run, document):
    write(run / "calibration.json", document)
    refused(run, "calibration.json")


PLACES = [{}, {"store": 5}, {"store": ["a"]}, {"store": "\x00"}, {"store": "x" * 5_000}, {"store": "/etc/passwd"}, {"store": "."}, [], "{"]
BROKEN = ["{", "[]", '{"format": 3}', '{"format": 3, "files": ["x"]}', '{"format": 3, "files": {"../../x": 0}}']


@pytest.mark.parametrize("document", PLACES, ids=lambda document: str(document)[:40])
def test_strange_place_of_the_store_is_refused(run, document):
    write(run / "lineage.json", document)
    with pytest.raises(IntegrityError):
        RunDirectory.finished(run).store  # noqa: B018


@pytest.mark.parametrize("manifest", BROKEN)
def test_strange_store_is_refused(run, tmp_path, manifest):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "manifest.json").write_text(manifest)
    with pytest.raises(IntegrityError):
        RunDirectory.finished(run).store  # noqa: B018


def test_array_that_would_be_unpickled_is_refused(run, tmp_path):
    (tmp_path / "store").mkdir()
    np.save(tmp_path / "store" / "user.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    groups = {"user_features": [], "item_features": [], "context_features": [], "labels": []}
    write(tmp_path / "store" / "manifest.json", {"format": 3, "files": {}, **groups, "notes": [], "boundaries": None})
    with pytest.raises(IntegrityError):
        RunDirectory.finished(run).store  # noqa: B018


def test_command_line_ends_with_4_and_one_line(forked, run):
    signed(run, pickle.dumps(Payload()))
    done = forked("export.py", f"run={run}", cwd=run.parent)
    assert done.returncode == 4
    assert done.stderr.startswith("Integrity error: 1 problem:\n  1. ")
    assert "Traceback" not in done.stderr
    assert not (run / "bundle").exists()


FORBIDDEN = {
    *("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "load_from_checkpoint", "trust_remote_code"),
    *("unsafe_load", "full_load", "read_pickle", "to_pickle", "allow_pickle", "eval", "exec", "__import__"),
}
LOADS = {("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "load_all"), ("torch", "hub"), ("onnx", "hub"), ("os", "system")}


@pytest.mark.parametrize(
    "path", [HOME / "train.py", HOME / "export.py", *sorted((HOME / "recsys").rglob("*.py"))], ids=lambda path: path.name
)
def test_nothing_of_ours_unpickles_or_evaluates(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {part for name in node.names for part in name.name.split(".")} | set((getattr(node, "module", None) or "").split("."))
            assert not names & FORBIDDEN
        elif isinstance(node, ast.keyword):
            refused = node.arg == "allow_pickle" and isinstance(node.value, ast.Constant) and node.value.value is False
            assert node.arg not in FORBIDDEN or refused
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            assert node.attr not in FORBIDDEN - {"eval"}  # of a module: evaluation mode
            safe = (owner, node.attr) == ("yaml", "load") and path.parts[-2:] == ("config", "files.py")
            assert (owner, node.attr) not in LOADS or safe, f"line {node.lineno}"
