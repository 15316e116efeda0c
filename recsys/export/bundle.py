"""Trained models to a verified bundle: graphs, schema, metrics, and last the manifest."""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from recsys.config import GateConfig
from recsys.disk import file_sha256
from recsys.disk.scrub import without_secrets
from recsys.errors import DataError, Fault, IntegrityError
from recsys.export.card import write_card
from recsys.export.gates import floor_gates, golden_gate, index_gate, latency_gates, parity_gate, refuse, replayed, size_gates, unknown_gate
from recsys.export.golden import write_golden
from recsys.export.graph import OPSETS
from recsys.export.index.base import SearchIndex
from recsys.export.narrow import narrow
from recsys.export.production import Production, production_gates
from recsys.export.publish import publishing, write_manifest
from recsys.export.quantize.base import Quantization
from recsys.export.section import Questions, Section
from recsys.export.sign import sign
from recsys.run.lineage import distributions, versions
from recsys.schema import Schema
from recsys.serve.golden import processor
from recsys.serve.manifest import FORMAT
from recsys.task.base import facet

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PACKAGES = ("recsys", "torch", "onnx", "onnxscript", "onnxruntime", "numpy", "polars")


@dataclass(frozen=True)
class Release:
    """Conditions and company of a bundle's models.

    Attributes:
        limits: of metrics, latency and size.
        against: the bundle in production; None = none.
        quantization: how weights become narrow; None = float32.
        index: of a retriever's items, for approximate search; None = exact search alone.
        questions: {task: test data that these three are measured on}.
        lineage: see `recsys.export.program.lineage`.
        reliability: {label: curve} at test, for the card.
        dry_run: do everything but publish.
        key: signs the bundle; None = nobody.
    """

    limits: GateConfig = field(default_factory=GateConfig)
    against: Production | None = None
    quantization: Quantization | None = None
    index: SearchIndex | None = None
    questions: Mapping[str, Questions] = field(default_factory=dict)
    lineage: Mapping = field(default_factory=dict)
    reliability: Mapping[str, Mapping] = field(default_factory=dict)
    dry_run: bool = False
    key: "Ed25519PrivateKey | None" = None


def export_bundle(
    sections: Sequence[Section],
    schema: Schema,
    *,
    vocabulary_path: Callable[[str], Path],
    metrics: Mapping[str, float | None],
    checkpoint: Mapping[str, Mapping[str, object]],
    folder: Path,
    release: Release | None = None,
) -> dict:
    """Write a bundle, let it pass its gates, publish it in one rename, and return its manifest.

    Args:
        sections: at least one.
        schema: fitted, with the statistics of the models' store.
        vocabulary_path: parquet file of a column's vocabulary: `value` by vocabulary index, [0] and [1] null. Asked for columns
            without buckets; the file must have the sha256 that the schema names.
        metrics: of all these weights, flat as in metrics.json; None, where one is not finite, is left out of the bundle's.
        checkpoint: {task: facts of its weights}, for the manifest.
        folder: final place of the bundle; a bundle that stands there is replaced.
        release: None = parity and golden requests alone.
    Raises:
        ReleaseError: a gate is not passed; nothing is published.
        IntegrityError: a model cannot be exported, or a vocabulary is not the model's; nothing is published.
        DataError: a column has the name of an input or output of the graphs, or an item's id is the value that says "missing".
    """
    release = release or Release()
    if faults := schema.reserved_name_faults():
        raise DataError(*faults)
    floors = floor_gates(metrics, release.limits.min)
    refuse(floors, folder)  # before anything that takes time
    finite = {name: value for name, value in metrics.items() if value is not None}
    facets = [facet(section.task, "export") for section in sections]
    vocabularies = load_vocabularies(schema, vocabulary_path)
    with publishing(folder, dry_run=release.dry_run) as partial:
        schema.save(partial / "schema.json")
        (partial / "metrics.json").write_text(json.dumps(finite, indent=2, sort_keys=True) + "\n")
        facts = {f"vocabulary_sha256/{column}": sha256 for column, sha256 in _vocabulary_hashes(schema).items()}
        facts["schema_sha256"] = file_sha256(partial / "schema.json")
        document: dict[str, Any] = {
            "format": FORMAT,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "versions": versions((*PACKAGES, *(distributions("faiss") if release.index is not None else ()))),
            "processor": processor(),
            "opset": OPSETS,
            "schema_sha256": facts["schema_sha256"],
            "checkpoint": without_secrets(dict(checkpoint)),
            "lineage": without_secrets(dict(release.lineage)),  # runs of before may hold some
        }
        for section in sections:
            document |= section.write(partial, schema, vocabularies, facts)
        if release.quantization is not None:
            for part in facets:
                document[part.PARITY]["weights"] = f"float32, before quantize={release.quantization.kind}"
        gates = [parity_gate(document, facets)]
        if "unknown_users" in document:
            gates.append(unknown_gate(document["unknown_users"]))
        if release.quantization is not None:
            document["quantized"], gate = narrow(partial, release.quantization, schema, document, release.questions.values())
            gates.append(gate)
        if release.index is not None:
            (searching,) = (release.questions[section.task] for section, part in zip(sections, facets) if part.SEARCHES)
            document["index"] = searching.approximate(partial, release.index, document)
            gates.append(index_gate(document["index"]))
            refuse(gates, folder)  # a bundle cannot be served with an index that has no setting
        frames = [section.golden(partial, schema, vocabularies) for section in sections]
        document["golden"] = write_golden(partial, frames, (release.quantization or Quantization).golden_tolerance)
        _write_sbom(partial, document)
        write_manifest(partial, document)  # so that it can be served

        answers = replayed(partial)
        gates += [golden_gate(document["golden"], answers["wrong"]), *floors]
        if release.against is not None:
            gates += production_gates(partial, release.against, schema, release.questions)
        gates += latency_gates(answers["latency"], release.limits.p99_ms)
        document["latency"] = answers["latency"]
        for _ in range(2):  # card and manifest tell the size, and are part of it
            sized = [*gates, *size_gates(partial, release.limits.size_mb)]
            refuse(sized, folder)
            document["gates"] = [gate.line() for gate in sized]
            write_card(partial, document, schema, finite, reliability=release.reliability)
            manifest = write_manifest(partial, document)
        if release.key is not None:
            sign(partial, release.key)
        return manifest


def _write_sbom(folder: Path, manifest: Mapping) -> None:
    """Write sbom.json, where the packages are installed that make one."""
    if find_spec("cyclonedx") is None:
        print("no sbom.json in the bundle: pip install cyclonedx-python-lib packageurl-python packaging, and export again")
        return
    from recsys.export.sbom import sbom  # what it imports is an extra

    (folder / "sbom.json").write_text(sbom(manifest))


def load_vocabularies(schema: Schema, vocabulary_path: Callable[[str], Path]) -> dict[str, pl.Series]:
    """{column: raw values by vocabulary index}; an IntegrityError names each file that is not the one the schema was fitted with."""
    hashes = _vocabulary_hashes(schema)
    paths = {column: vocabulary_path(column) for column in hashes}
    remedy = "export with the store that the run was trained on (lineage.json in the run directory)"
    faults = [
        Fault("the vocabulary is not the one that the model was trained with", f"column '{column}', {paths[column]}", remedy)
        for column, sha256 in hashes.items()
        if not paths[column].exists() or file_sha256(paths[column]) != sha256
    ]
    if faults:
        raise IntegrityError(*faults)
    return {column: pl.read_parquet(path)["value"] for column, path in paths.items()}


def _vocabulary_hashes(schema: Schema) -> dict[str, str]:
    return {column: statistics.vocabulary_sha256 for column, statistics in schema.statistics.items() if statistics.vocabulary_sha256}
