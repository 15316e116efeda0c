"""The software bill of materials of a bundle, CycloneDX 1.6: the model, and every installed package that made it or serves it."""

import tomllib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from recsys.run.lineage import CODE, distributions

ROOT, TRAIN = "recsys", "train"
"""The framework, and its extra of all that trains, evaluates and exports."""
SERVING = ("numpy", "onnxruntime")
"""All that answering requests imports; the rest is out of a server's scope."""
SEARCHING = "faiss"
"""What approximate search imports, where the bundle has an index: optional, as exact search is there too."""


@dataclass(frozen=True)
class Package:
    """A distribution; `needs` are names of the installed ones that it requires here."""

    name: str
    version: str | None
    license: str | None
    needs: tuple[str, ...]


def sbom(manifest: Mapping) -> str:
    """Content of sbom.json, a pure function of what is installed and of "created", "checkpoint", "lineage" and "index" of a manifest."""
    searching = [canonicalize_name(name) for name in (distributions(SEARCHING) if "index" in manifest else ())]
    optional, required = (installed(*names) for names in (searching, SERVING))
    packages = {**optional, **required, **(installed(ROOT, extras=[TRAIN]) or _not_installed())}
    scopes = dict.fromkeys(optional, ComponentScope.OPTIONAL) | dict.fromkeys([*required, ROOT], ComponentScope.REQUIRED)
    components = {name: _component(packages[name], scopes.get(name, ComponentScope.EXCLUDED)) for name in sorted(packages)}
    model = _model(manifest)
    metadata = BomMetaData(component=model, timestamp=datetime.fromisoformat(manifest["created"]))
    bom = Bom(components=components.values(), metadata=metadata, serial_number=uuid.UUID(int=0))
    bom.register_dependency(model, [components[name] for name in (ROOT, *SERVING, *searching)])
    for name, package in packages.items():
        bom.register_dependency(components[name], [components[need] for need in package.needs])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, _text(bom))
    return _text(bom)


def _not_installed() -> dict[str, Package]:
    """The framework where it was found by PYTHONPATH alone, and what its pyproject.toml asks for, if that stands beside it."""
    path = CODE / "pyproject.toml"
    project: dict[str, Any] = tomllib.loads(path.read_text())["project"] if path.exists() else {"version": None, "dependencies": SERVING}
    needs = [*project["dependencies"], *project.get("optional-dependencies", {}).get(TRAIN, ())]
    names = [canonicalize_name(Requirement(need).name) for need in needs]
    packages = installed(*names)
    return {**packages, ROOT: Package(ROOT, project["version"], None, tuple(name for name in names if name in packages))}


def installed(*roots: str, extras: Iterable[str] = ()) -> dict[str, Package]:
    """{name: package} of distributions and of all that they require with these extras, transitively and under this machine's markers.

    A requirement that is not installed is not part of what ran, and is left out.
    """
    packages: dict[str, Package] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(root), frozenset(extras)) for root in roots]
    for name, chosen in waiting:  # grows meanwhile
        try:
            here = distribution(name)
        except PackageNotFoundError:
            continue
        needs = {
            canonicalize_name(need.name): frozenset(need.extras)
            for need in map(Requirement, here.requires or ())
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *chosen))
        }
        waiting += [need for need in needs.items() if need not in waiting]
        before = packages[name].needs if name in packages else ()
        packages[name] = Package(name, here.version, license_of(here), tuple(sorted({*before, *needs})))
    return {
        name: replace(package, needs=tuple(need for need in package.needs if need in packages))
        for name, package in sorted(packages.items())
    }


def license_of(package: Distribution) -> str | None:
    """What the package says of its license: an SPDX expression, else a name of one line, else what its classifier says."""
    about = package.metadata
    stated = about["License-Expression"] or about["License"]
    if stated and "\n" not in stated.strip():
        return stated.strip()
    classifiers = (entry.rpartition(" :: ")[2] for entry in about.get_all("Classifier") or () if entry.startswith("License :: "))
    return next(classifiers, None)


def _component(package: Package, scope: ComponentScope) -> Component:
    ours = package.name == ROOT
    # the index has other projects: one that shares our name would lend us its vulnerabilities
    purl = PackageURL("generic" if ours else "pypi", None, package.name, package.version)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.FRAMEWORK if ours else ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[_license(package.license)] if package.license else [],
        scope=scope,
    )


def _license(stated: str) -> LicenseExpression | DisjunctiveLicense:
    if is_supported_id(stated):
        return DisjunctiveLicense(id=stated)
    return LicenseExpression(stated) if is_expression(stated) else DisjunctiveLicense(name=stated)


def _model(manifest: Mapping) -> Component:
    """The bundle itself: named after data and tasks, its version that of the weights. Its files' hashes stand in manifest.json."""
    weights = {task: facts["sha256"] for task, facts in manifest["checkpoint"].items()}
    lineage = manifest["lineage"]
    data = [facts["name"] for facts in lineage.get("data", {}).values()]
    facts = {f"recsys:weights:{task}:sha256": sha256 for task, sha256 in weights.items()}
    if lineage.get("git") is not None:
        facts["recsys:git:commit"] = lineage["git"]["commit"]
    return Component(
        name="-".join([*data[:1], *weights]) or "bundle",
        version="-".join(sha256[:12] for sha256 in weights.values()),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="bundle",
        properties=[Property(name=key, value=value) for key, value in facts.items()],
    )


def _text(bom: Bom) -> str:
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"
