"""A record is what its reader expects, or refused with its name."""

import errno
import json

import pytest

from recsys.disk.records import LARGEST_BYTES, numbers_by_name, read_record, reading, require_type
from recsys.errors import ConfigError, Fault, IntegrityError, ResourceError


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("[1", "Expecting ',' delimiter"),
        ('{"step": "one"}', "'step' has to be int, got 'one'"),
        ("{}", "'step' is missing"),
        ("[" * 100_000, "maximum recursion depth"),
        (" " * LARGEST_BYTES + "1", "more than 10,000,000 bytes"),
    ],
)
def test_file_that_does_not_fit_is_named(tmp_path, content, what):
    (tmp_path / "facts.json").write_text(content)
    with pytest.raises(IntegrityError, match=what) as refused:
        read_record(tmp_path / "facts.json", lambda document: require_type(document["step"], int, "'step'"))
    assert refused.value.faults[0].where == str(tmp_path / "facts.json")


def test_folder_is_no_record(tmp_path):
    with pytest.raises(IntegrityError, match="no regular file"):
        read_record(tmp_path, dict)


def test_errors_of_ours_stay_what_they_are(tmp_path):
    with pytest.raises(ConfigError), reading(tmp_path):
        raise ConfigError(Fault("what", "where", "remedy"))


def test_numbers_that_json_has_no_word_for_are_none():
    assert numbers_by_name(json.loads('{"a": 1, "b": NaN, "c": null, "d": Infinity}'), "metric") == {
        "a": 1,
        "b": None,
        "c": None,
        "d": None,
    }
    with pytest.raises(TypeError, match="metric 'a' has to be int or float or NoneType, got True"):
        numbers_by_name({"a": True}, "metric")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (OSError("Too many open files (os error 24): /x/user_ids.parquet"), "ulimit -n"),  # as polars says it
        (PermissionError(errno.EACCES, "Permission denied"), "permit"),
        (OSError(errno.EIO, "Input/output error"), "disk"),
    ],
)
def test_what_the_machine_refuses_is_no_damage(tmp_path, error, remedy):
    with pytest.raises(ResourceError, match=remedy) as refused, reading(tmp_path / "a.json", "delete it"):
        raise error
    assert (refused.value.exit_code, refused.value.faults[0].where) == (6, str(tmp_path / "a.json"))
    assert "delete" not in str(refused.value)


def test_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(IntegrityError, match=r"b\.npy is missing"), reading(tmp_path):
        (tmp_path / "b.npy").open()
