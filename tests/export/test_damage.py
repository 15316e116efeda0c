"""A bundle that was damaged, cut or mixed up after the export: nothing of it is used, and the file is named."""

import itertools
import random
import shutil

import pytest

from recsys.export.publish import write_manifest
from recsys.serve import BundleError, Retriever

OTHERS = ("ranker.onnx", "golden.parquet", "card.md", "sbom.json", "calibration.svg", "index.faiss", "index_ids.npy", "index.svg")
"""Files that this bundle lacks and another may have; what is in them does not matter here."""
FLIPS = 1_000


@pytest.fixture
def bundle(example, tmp_path):
    """A bundle with every file that one can have."""
    folder = tmp_path / "bundle"
    shutil.copytree(example.bundle, folder)
    (folder / "manifest.json").unlink()
    generator = random.Random(1)
    for name in OTHERS:
        (folder / name).write_bytes(generator.randbytes(2_000))
    told = {key: value for key, value in example.manifest.items() if key not in ("files", "sha256")}
    write_manifest(folder, told)
    assert Retriever(folder).recommend([{}], k=2)[0].items
    return folder


def refusal(bundle):
    """What opening the bundle says; None if it opens."""
    try:
        Retriever(bundle)
    except BundleError as error:
        return str(error)
    return None


def test_one_flipped_bit_is_refused_a_thousand_times_with_the_file_named(bundle):
    files, generator, flipped, missed = sorted(bundle.iterdir()), random.Random(0), set(), []
    for _ in range(FLIPS):
        path = generator.choice(files)
        content = path.read_bytes()
        at, bit = generator.randrange(len(content)), generator.randrange(8)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
        if path.name not in (refusal(bundle) or ""):
            missed.append((path.name, at, bit))
        path.write_bytes(content)
        flipped.add(path)
    assert missed == []
    assert flipped == set(files)
    assert refusal(bundle) is None


@pytest.mark.parametrize("left", [lambda size: 0, lambda size: 1, lambda size: size // 2, lambda size: size - 1, lambda size: size + 1])
def test_file_of_another_length_is_refused_with_its_name(bundle, left):
    for path in sorted(bundle.iterdir()):
        content = path.read_bytes()
        path.write_bytes((content + b"\n")[: left(len(content))])
        assert path.name in (refusal(bundle) or ""), path.name
        path.write_bytes(content)


def test_swapped_files_are_refused_with_one_of_their_names(bundle):
    for one, other in itertools.combinations(sorted(bundle.iterdir()), 2):
        contents = one.read_bytes(), other.read_bytes()
        one.write_bytes(contents[1])
        other.write_bytes(contents[0])
        said = refusal(bundle) or ""
        assert one.name in said or other.name in said
        one.write_bytes(contents[0])
        other.write_bytes(contents[1])


def test_missing_file_is_refused_with_its_name(bundle):
    for path in sorted(bundle.iterdir()):
        path.rename(bundle.parent / "aside")
        assert path.name in (refusal(bundle) or "")
        (bundle.parent / "aside").rename(path)
