"""Bundles that a key has signed."""

import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from recsys.errors import ConfigError
from recsys.export.sign import private_key, sign
from recsys.serve import BundleError, Ranker, Recommender, Retriever
from recsys.serve.__main__ import main
from recsys.serve.manifest import read_manifest

SECURED = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAdzrnKvI
1pEIpDlsh1/QXiAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAgHqcVHpGKY3QFE
NVysYV2BJziMjNa79xc7u3cYlBizAAAAkJIOi3KfKW3ly+w5xFdl/4oHfEqu7kghkvMA4V
DK2mW2sKa4tukKr9XfUZ7P5DyNdHJdqW0FyK9pg8QCrM5oZC8mwW+Fr4hsilGsmk+AzN/3
Vq3SkpA0z2UzpQn5r5jJHrWnY3GmOXTbMxNdNloRO2Ni8G5Uft+QdS9YpnvnfjN1f6kRM+
k1PWHrj5bK+b/Fzg==
-----END OPENSSH PRIVATE KEY-----
"""
"""A key of ssh-keygen with a passphrase, used nowhere."""


def write_key(folder, name, key):
    """A pair of files as ssh-keygen writes them; gives the private one."""
    path = folder / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.with_suffix(".pub").write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" me@host\n")
    return path


@pytest.fixture
def key(tmp_path):
    return write_key(tmp_path, "release", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture
def signed(written, tmp_path, key):
    folder = written(tmp_path / "bundle", ("retriever.onnx", "ranker.onnx"))
    sign(folder, private_key(key))
    return folder


def test_signed_bundle_opens_with_the_key_as_file_or_text_and_without_one(signed, key):
    public = key.with_suffix(".pub")
    items = [{"item_id": item, "price": 1.0} for item in "abc"]
    for given in (public, str(public), public.read_text().strip(), None):
        assert Retriever(signed, key=given).recommend([{"history": ["c"]}], k=1)[0].items == ["c"]
        assert Ranker(signed, key=given).labels == ["click", "buy"]
        assert Recommender(signed, items, key=given).recommend([{"history": ["c"]}], k=1)[0].items == ["a"]


@pytest.mark.parametrize("opener", [Retriever, Ranker])
def test_bundle_without_a_signature_is_refused_where_a_key_is_given(written, tmp_path, key, opener):
    folder = written(tmp_path / "bundle", ("retriever.onnx", "ranker.onnx"))
    with pytest.raises(BundleError, match=r"is not signed: it has no manifest\.json\.sig"):
        opener(folder, key=key.with_suffix(".pub"))


def test_another_key_is_refused(signed, tmp_path):
    other = write_key(tmp_path, "other", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(BundleError, match="is no signature of this manifest by the key"):
        Retriever(signed, key=other.with_suffix(".pub"))


def test_manifest_that_was_made_again_is_refused(written, signed, key, tmp_path):
    """Whole in itself, but of another export: what a thief of the folder can write."""
    signature = (signed / "manifest.json.sig").read_bytes()
    forged = written(tmp_path / "forged", ("retriever.onnx",), note="forged")
    (forged / "manifest.json.sig").write_bytes(signature)
    assert read_manifest(forged)["note"] == "forged"
    with pytest.raises(BundleError, match="is no signature of this manifest"):
        read_manifest(forged, key.with_suffix(".pub"))


@pytest.mark.parametrize("content", [b"", b"!", b"AAAA\n", b"\xff\xfe"])
def test_bytes_that_are_no_signature_are_refused(signed, key, content):
    (signed / "manifest.json.sig").write_bytes(content)
    with pytest.raises(BundleError, match="is no signature of this manifest"):
        Retriever(signed, key=key.with_suffix(".pub"))


def test_what_is_no_public_key_is_named(signed, key, tmp_path):
    rsa = write_key(tmp_path, "rsa", generate_private_key(65537, 2048))
    for wrong in (tmp_path / "absent.pub", "ssh-ed25519 AAAA", key, rsa.with_suffix(".pub")):
        with pytest.raises(ValueError, match=r"'key': got .*; want"):
            Retriever(signed, key=wrong)


def test_what_is_no_private_key_is_named(tmp_path, key):
    secured = tmp_path / "secured"
    secured.write_text(SECURED)
    rsa = write_key(tmp_path, "rsa", generate_private_key(65537, 2048))
    for wrong in (tmp_path / "absent", key.with_suffix(".pub"), secured, rsa):
        with pytest.raises(ConfigError) as refused:
            private_key(wrong)
        assert f"sign={wrong}" in str(refused.value)
        assert "ssh-keygen -t ed25519" in str(refused.value)


def test_command_line_refuses_what_the_key_did_not_sign(written, tmp_path, key, capsys):
    folder = written(tmp_path / "bundle", ("ranker.onnx",))
    (tmp_path / "in.parquet").write_bytes(b"")
    command = [
        str(folder),
        "--requests",
        str(tmp_path / "in.parquet"),
        "--out",
        str(tmp_path / "out"),
        "--key",
        str(key.with_suffix(".pub")),
    ]
    assert main(command) == 4
    assert "is not signed" in capsys.readouterr().err


def test_cryptography_is_imported_only_where_a_key_is_given(signed):
    code = f"import sys; from recsys.serve import Ranker; Ranker({str(signed)!r}); print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
