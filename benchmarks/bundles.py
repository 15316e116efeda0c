"""Bundles without the gates of a release, as a server opens them."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from recsys.disk import file_sha256
from recsys.export.bundle import Section
from recsys.export.publish import write_manifest
from recsys.schema import Schema
from recsys.serve.manifest import FORMAT


def write_bundle(section: Section, schema: Schema, vocabularies: Mapping[str, pl.Series], folder: Path) -> None:
    """Write the section's files, which are compared with its model, and what a server needs beside them."""
    folder.mkdir()
    schema.save(folder / "schema.json")
    facts = {f"vocabulary_sha256/{column}": schema.statistics[column].vocabulary_sha256 for column in vocabularies}
    facts["schema_sha256"] = file_sha256(folder / "schema.json")
    write_manifest(folder, {"format": FORMAT, **section.write(folder, schema, vocabularies, facts)})
