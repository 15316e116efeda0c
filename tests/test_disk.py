import pytest
from safetensors import SafetensorError

from recsys.disk import sync, writing
from recsys.errors import ResourceError


@pytest.mark.parametrize("error", [OSError(30, "Read-only file system"), SafetensorError("I/O error: Read-only file system")])
def test_what_keeps_from_writing_is_said_with_place_and_space(tmp_path, error):
    said = rf"Read-only file system, with [\d,]+ bytes free\n    where: {tmp_path}/new/a"
    with pytest.raises(ResourceError, match=said), writing(tmp_path / "new" / "a"):
        raise error


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(KeyError), writing(tmp_path):
        raise KeyError("x")


def test_folders_can_be_synced(tmp_path):
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")
