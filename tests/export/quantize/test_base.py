"""What all kinds of quantisation do alike."""

import onnx
import pytest

from recsys.errors import ConfigError, IntegrityError
from recsys.export.quantize.int8_tables import Int8Tables

INT8 = Int8Tables(min_recall_ratio=0.995, max_auc_loss=0.001, max_ece_loss=0.001, max_rmse_ratio=1.01, max_p50_ratio=1.05)


def without_table(model):
    """The same graph, its table too small to be narrowed."""
    small = onnx.ModelProto()
    small.CopyFrom(model)
    table = onnx.numpy_helper.to_array(small.graph.initializer[0])[:100]
    small.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    return small


def test_model_is_left_as_it_is_and_its_metadata_kept(model):
    before = model.SerializeToString(deterministic=True)
    narrow = INT8.apply(model)
    assert model.SerializeToString(deterministic=True) == before
    assert [(entry.key, entry.value) for entry in narrow.metadata_props] == [("schema_sha256", "abc")]
    assert (narrow.ir_version, narrow.producer_name, narrow.opset_import) == (10, "recsys", model.opset_import)


def test_graph_that_breaks_is_refused(model, monkeypatch):
    def broken(self, model):
        narrow = onnx.ModelProto()
        narrow.CopyFrom(model)
        del narrow.graph.initializer[:]
        return narrow

    monkeypatch.setattr(Int8Tables, "narrowed", broken)
    with pytest.raises(IntegrityError, match=r"onnx\.checker refuses the quantised graph: (.|\n)*table(.|\n)*quantize=int8_tables"):
        INT8.apply(model)


def test_folder_keeps_a_graph_that_has_nothing_to_narrow(model, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    onnx.save(model, source / "user_tower.onnx")
    onnx.save(without_table(model), source / "item_tower.onnx")
    assert INT8.apply_to_folder(source, target) == ["user_tower.onnx"]
    assert (target / "item_tower.onnx").read_bytes() == (source / "item_tower.onnx").read_bytes()
    assert (target / "user_tower.onnx").stat().st_size < (source / "user_tower.onnx").stat().st_size


def test_folder_without_tables_is_refused_with_a_remedy(model, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    onnx.save(without_table(model), tmp_path / "ranker.onnx")
    with pytest.raises(ConfigError, match=r"hold no embedding table of at least 64 KiB\n.*quantize=int8_tables\n.*quantize=null"):
        INT8.apply_to_folder(tmp_path, target)
