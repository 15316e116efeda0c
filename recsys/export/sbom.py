"""The software bill of materials of a bundle, CycloneDX 1.6: the model, and every installed package that made it or serves it."""

import tomllib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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

ROOT = "recsys"
TRAIN = "train"
"""The extra of the framework that names what trains, evaluates and exports."""
SERVING = ("numpy", "onnxruntime")
"""All that answering requests imports; the rest trained, evaluated or exported, and is out of a server's scope."""
SEARCHING = "faiss"
"""What approximate search imports, where the bundle has an index: optional, as exact search is there too."""


@dataclass(frozen=True)
class Package:
    """An installed distribution.

    Attributes:
        version: None where it is not known.
        needs: names of the installed packages it requires here.
    """

    name: str
    version: str | None
    license: str | None
    needs: tuple[str, ...]


def sbom(manifest: Mapping) -> str:
    """sbom.json. A pure function of the manifest and of what is installed: timestamp and serial number follow from these too.

    Args:
        manifest: "created", "checkpoint", "lineage" and "index" are read; a bundle of no run has no lineage.
    """
    searching = [canonicalize_name(name) for name in (distributions(SEARCHING) if "index" in manifest else ())]
    optional, required = (_closure(names) for names in (searching, SERVING))
    packages = {**optional, **required, **(installed(ROOT, TRAIN) or _not_installed())}
    scopes = dict.fromkeys(optional, ComponentScope.OPTIONAL) | dict.fromkeys([*required, ROOT], ComponentScope.REQUIRED)
    components = {name: _component(packages[name], scopes.get(name, ComponentScope.EXCLUDED)) for name in sorted(packages)}
    model = _model(manifest)
    metadata = BomMetaData(component=model, timestamp=datetime.fromisoformat(manifest["created"]))
    bom = Bom(components=components.values(), metadata=metadata, serial_number=uuid.UUID(int=0))
    bom.register_dependency(model, [components[name] for name in (ROOT, *SERVING, *searching)])
    for name, package in packages.items():
        bom.register_dependency(components[name], [components[need] for need in package.needs])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, _text(bom))  # of this content, at this moment
    return _text(bom)


def _closure(names: Iterable[str]) -> dict[str, Package]:
    """These packages and all that they require."""
    return {name: package for root in names for name, package in installed(root).items()}


def _not_installed() -> dict[str, Package]:
    """The framework where it was found by PYTHONPATH alone, and what its pyproject.toml asks for, if that stands beside it."""
    path = CODE / "pyproject.toml"
    project: dict[str, Any] = tomllib.loads(path.read_text())["project"] if path.exists() else {"version": None, "dependencies": SERVING}
    needs = [*project["dependencies"], *project.get("optional-dependencies", {}).get(TRAIN, ())]
    wanted = [canonicalize_name(Requirement(need).name) for need in needs]
    found = _closure(wanted)
    return {**found, ROOT: Package(ROOT, project["version"], None, tuple(name for name in wanted if name in found))}


def installed(root: str, *extras: str) -> dict[str, Package]:
    """{name: package} of a distribution and of all that it requires with these extras, transitively and under this machine's markers.

    A requirement that is not installed is not part of what ran, and is left out.
    """
    found: dict[str, Package] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(canonicalize_name(root), frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        try:
            here = distribution(name)
        except PackageNotFoundError:
            continue
        wanted = {canonicalize_name(need.name): frozenset(need.extras) for need in _requirements(here, chosen)}
        waiting += wanted.items()
        before = found[name].needs if name in found else ()
        found[name] = Package(name, here.version, license_of(here), tuple(sorted({*before, *wanted})))
    return {
        name: Package(name, package.version, package.license, tuple(need for need in package.needs if need in found))
        for name, package in sorted(found.items())
    }


def license_of(package: Distribution) -> str | None:
    """What the package says of its license: an SPDX expression, else a name of one line, else what its classifier says."""
    about = package.metadata
    stated = about["License-Expression"] or about["License"]
    if stated and "\n" not in stated.strip():
        return stated.strip()
    classifiers = [entry.rpartition(" :: ")[2] for entry in about.get_all("Classifier") or () if entry.startswith("License :: ")]
    return classifiers[0] if classifiers else None


def _requirements(package: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, package.requires or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


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
    tasks: Sequence[str] = list(manifest["checkpoint"])
    weights = {task: manifest["checkpoint"][task]["sha256"] for task in tasks}
    lineage = manifest["lineage"]
    data = [its["name"] for its in lineage.get("data", {}).values()]
    facts = {f"recsys:weights:{task}:sha256": sha256 for task, sha256 in weights.items()}
    if lineage.get("git") is not None:
        facts["recsys:git:commit"] = lineage["git"]["commit"]
    return Component(
        name="-".join([*data[:1], *tasks]) or "bundle",
        version="-".join(sha256[:12] for sha256 in weights.values()),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="bundle",
        properties=[Property(name=key, value=value) for key, value in facts.items()],
    )


def _text(bom: Bom) -> str:
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"
