import os
import re
from pathlib import Path

import pytest

from recsys.config.files import LARGEST_BYTES, file_faults, key_lines, read_document, saved_config
from recsys.errors import ConfigError

BEFORE = """
data: {name: shop, user: user_id, item: item_id, time: timestamp}
loader: {_target_: recsys.data.datamodule.DataModule, _partial_: true, batch_size: 1024}
task: {_target_: recsys.task.ranking.Ranking, _partial_: true}
balance: {_target_: recsys.balance.fixed.Fixed, _partial_: true}
calibration: {_target_: recsys.calibration.platt.Platt, _partial_: true}
callbacks:
  evaluation: {_target_: recsys.callback.impressions.ImpressionEvaluation, intervals: 1000}
  checkpoint: {_target_: recsys.callback.checkpoint.Checkpoints, monitor: val/log_loss, mode: min}
teacher: {run: null, weight: 0.5}
retriever: null
"""
"""Keys of a run's config.yaml before files said their format."""


def write(conf, name, text):
    path = conf / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def faults(conf):
    return [(fault.what, fault.where) for fault in file_faults((conf,))]


def test_good_files_have_no_faults(tmp_path):
    write(tmp_path / "conf", "loss/bpr.yaml", "# rate * 2, and ${oc.env:HOME} in a comment\na: 2\nb: ${data.root}\nc: 'a * b'\n")
    assert faults(tmp_path / "conf") == []


def test_reading_the_environment_is_refused_with_its_line(tmp_path):
    write(tmp_path / "conf", "loss/bpr.yaml", "a: 2\nb: ${ oc.env:HOME}\n")
    assert faults(tmp_path / "conf") == [("a config may not read the environment", "conf/loss/bpr.yaml, line 2")]


def test_aliases_are_refused_before_they_expand(tmp_path):
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))  # 9^39 entries
    write(tmp_path / "conf", "bomb.yaml", bomb)
    found = faults(tmp_path / "conf")
    assert len(found) == 39 * 9
    assert found[0] == ("yaml aliases (*name) are not read here", "conf/bomb.yaml, line 2")


def test_large_file_is_refused_unread(tmp_path):
    write(tmp_path / "conf", "big.yaml", "a: " + "x" * LARGEST_BYTES)
    assert faults(tmp_path / "conf") == [("more than 1,000,000 bytes of yaml", "conf/big.yaml")]


def test_key_lines_of_mappings_and_lists(tmp_path):
    path = write(tmp_path, "a.yaml", "# comment\na:\n  b: 1\n  c:\n    - {d: 2}\n    - 3\n")
    lines = key_lines(path)
    assert (lines["a"], lines["a.b"], lines["a.c"], lines["a.c.0.d"], lines["a.c.1"]) == (2, 3, 4, 5, 6)


def test_deep_file_is_refused_before_it_is_loaded(tmp_path):
    write(tmp_path / "conf", "deep.yaml", "a: " + "[" * 100_000)
    assert faults(tmp_path / "conf") == [("more than 50 levels of yaml", "conf/deep.yaml, line 1")]


def test_packages_for_hydra_to_import_are_refused_with_their_line(tmp_path):
    write(tmp_path / "conf", "train.yaml", "a: 2\nhydra: {x: '#', \"search\\x70ath\": ['pkg://evil']}\n")
    assert faults(tmp_path / "conf") == [("configs are read from conf alone", "conf/train.yaml, line 2")]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a: !!python/object/apply:os.system [touch canary]", "could not determine a constructor for the tag"),
        (b"a: [1, 2", "not readable as yaml"),
        (b"a: 1\xff", "cannot be read: 'utf-8' codec"),
        (b"a: &x [1]\nb: *x", "yaml aliases"),
        (b"{" * 1000, "more than 50 levels of yaml"),
        (b"a: " + b"1" * 2_000_000, "more than 1,000,000 bytes"),
        (b"? [a, b]\n: c", "not readable as yaml"),
    ],
)
def test_document_of_another_run_is_refused(tmp_path, content, what):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(what)) as caught:
        read_document(path)
    assert caught.value.faults[0].where.startswith(str(path))


def test_device_without_end_and_pipe_without_writer_are_refused(tmp_path):
    os.mkfifo(tmp_path / "config.yaml")
    for path in (Path("/dev/zero"), tmp_path / "config.yaml"):
        with pytest.raises(ConfigError, match="cannot be read: it is no regular file"):
            read_document(path)


def test_run_of_before_is_refused_in_one_sentence_that_says_what_to_do(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(BEFORE)
    with pytest.raises(ConfigError) as refused:
        saved_config(path)
    (fault,) = refused.value.faults
    assert "config.yaml has no format, and this version reads format 3" in fault.what
    assert fault.where == str(path)
    assert "train again with this version" in fault.remedy
    assert "lineage.json" in fault.remedy


def test_run_of_a_later_version_is_refused_with_its_format(tmp_path):
    (tmp_path / "config.yaml").write_text("format: 4\nseed: 0\n")
    with pytest.raises(ConfigError, match=r"format 4, and this version reads format 3"):
        saved_config(tmp_path / "config.yaml")


def test_config_of_a_run_comes_back_without_its_format(tmp_path):
    (tmp_path / "config.yaml").write_text("format: 3\nseed: 0\n")
    assert saved_config(tmp_path / "config.yaml") == {"seed": 0}
