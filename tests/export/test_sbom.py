"""The bill of materials of a bundle."""

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from recsys.export.bundle import _write_sbom
from recsys.export.sbom import installed, license_of, sbom

MANIFEST = {
    "created": "2026-11-23T04:00:00+00:00",
    "checkpoint": {"retrieval": {"sha256": "ab" * 32}, "ranking": {"sha256": "cd" * 32}},
    "lineage": {"git": {"commit": "ef" * 20, "dirty": False}, "data": {"retrieval": {"name": "shop"}, "ranking": {"name": "shop"}}},
}


@pytest.fixture(scope="module")
def document():
    return json.loads(sbom(MANIFEST))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """site(name, metadata lines) installs a distribution without code."""

    def installed(name, *lines):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]) + "\n")

    monkeypatch.syspath_prepend(tmp_path)
    return installed


def test_sbom_is_what_cyclonedx_asks_for():
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom(MANIFEST)) is None


def test_sbom_describes_the_model_by_data_tasks_and_weights(document):
    model = document["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert (model["name"], model["version"]) == ("shop-retrieval-ranking", "abababababab-cdcdcdcdcdcd")
    facts = {entry["name"]: entry["value"] for entry in model["properties"]}
    assert facts["recsys:weights:ranking:sha256"] == "cd" * 32
    assert facts["recsys:git:commit"] == "ef" * 20


def test_sbom_holds_what_recsys_needs_with_version_purl_and_license(document):
    (numpy,) = [entry for entry in document["components"] if entry["name"] == "numpy"]
    assert numpy["version"] == version("numpy")
    assert numpy["purl"] == f"pkg:pypi/numpy@{version('numpy')}"
    assert numpy["licenses"]
    names = {entry["name"] for entry in document["components"]}
    assert {"torch", "polars", "sympy"} <= names  # sympy: torch needs it
    assert not {"pytest", "ruff", "nbclient"} & names


def test_sbom_says_what_a_server_needs(document):
    scopes = {entry["name"]: entry["scope"] for entry in document["components"]}
    assert {scopes[name] for name in ("recsys", "numpy", "onnxruntime", "protobuf")} == {"required"}  # protobuf: onnxruntime needs it
    assert {scopes[name] for name in ("torch", "polars")} == {"excluded"}
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert f"pkg:pypi/onnxruntime@{version('onnxruntime')}" in needs["bundle"]
    assert f"pkg:pypi/sympy@{version('sympy')}" in needs[f"pkg:pypi/torch@{version('torch').replace('+', '%2B')}"]


def test_what_searches_the_index_is_optional_and_in_the_sbom_of_a_bundle_that_has_one(document):
    assert "faiss-cpu" not in {entry["name"] for entry in document["components"]}
    indexed = json.loads(sbom(MANIFEST | {"index": {"kind": "hnsw"}}))
    scopes = {entry["name"]: (entry["version"], entry["scope"]) for entry in indexed["components"]}
    assert scopes["faiss-cpu"] == (version("faiss-cpu"), "optional")
    assert scopes["numpy"][1] == "required"
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in indexed["dependencies"]}
    assert f"pkg:pypi/faiss-cpu@{version('faiss-cpu')}" in needs["bundle"]


@pytest.mark.parametrize("beside", [True, False])
def test_sbom_of_a_framework_that_nobody_installed_tells_what_its_pyproject_asks_for(document, monkeypatch, tmp_path, beside):
    def missing(name):
        if name == "recsys":
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr("recsys.export.sbom.distribution", missing)
    if not beside:
        monkeypatch.setattr("recsys.export.sbom.CODE", tmp_path)
    text = sbom(MANIFEST)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = {entry["name"]: entry.get("version") for entry in json.loads(text)["components"]}
    if beside:
        assert found == {entry["name"]: entry["version"] for entry in document["components"]}
    else:
        assert found["recsys"] is None
        assert found["numpy"] == version("numpy")


def test_sbom_does_not_claim_to_be_a_package_of_the_index(document):
    (ours,) = [entry for entry in document["components"] if entry["name"] == "recsys"]
    assert ours["purl"] == f"pkg:generic/recsys@{version('recsys')}"


def test_sbom_differs_by_moment_alone(document):
    assert json.loads(sbom(MANIFEST)) == document
    later = json.loads(sbom({**MANIFEST, "created": "2026-11-23T05:00:00+00:00"}))
    assert later["metadata"].pop("timestamp") != document["metadata"]["timestamp"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", later["serialNumber"])
    assert later.pop("serialNumber") != document["serialNumber"]
    del document["metadata"]["timestamp"], document["serialNumber"]
    assert later == document


def test_requirements_are_followed_through_extras_and_markers(site):
    site("top", "Requires-Dist: Middle_One[fast]>=1", "Requires-Dist: gone", 'Requires-Dist: never; sys_platform == "no-such"')
    site("middle-one", 'Requires-Dist: quick; extra == "fast"', 'Requires-Dist: dull; extra == "slow"', "Requires-Dist: top")
    for name in ("quick", "dull", "never"):
        site(name)
    found = installed("top")
    assert {name: package.needs for name, package in found.items()} == {
        "top": ("middle-one",),
        "middle-one": ("quick", "top"),
        "quick": (),
    }
    assert found["quick"].version == "1.0"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["License-Expression: MIT AND 0BSD", "Classifier: License :: OSI Approved :: BSD License"], "MIT AND 0BSD"),
        (["License: BSD"], "BSD"),
        (["License: MIT License", "        ", "        Copyright", "Classifier: License :: OSI Approved :: MIT License"], "MIT License"),
        (["License: Some", "        text"], None),
        ([], None),
    ],
)
def test_license_is_the_most_exact_statement(site, lines, found):
    site("licensed", *lines)
    assert license_of(Distribution.from_name("licensed")) == found


def test_without_its_packages_a_bundle_has_no_sbom_and_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("recsys.export.bundle.find_spec", lambda name: None)
    _write_sbom(tmp_path, MANIFEST)
    assert list(tmp_path.iterdir()) == []
    (line,) = capsys.readouterr().out.splitlines()
    assert "pip install cyclonedx-python-lib packageurl-python packaging" in line
