"""Checkpoints and bundles as artifacts of Weights & Biases that name their code and data, and no password or key."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from recsys.disk.records import read_record
from recsys.disk.scrub import without_secrets
from recsys.logger.destination import Destination
from recsys.run.directory import ABOUT, BUNDLE, CHECKPOINTS, DATA, LINEAGE, RunDirectory

ALIASES = ("best", "last")


def log_checkpoints(talk: Any, run: Path, destination: Destination) -> None:
    """Send the best and the last checkpoint; one artifact if they are one."""
    aliases: dict[Path, list[str]] = {}
    for alias in ALIASES:
        if (run / CHECKPOINTS / alias).exists():
            aliases.setdefault((run / CHECKPOINTS / alias).resolve(), []).append(alias)
    for folder, names in aliases.items():
        metadata = {"checkpoint": read_record(folder / ABOUT, dict), **_origin(run)}
        _log(talk, f"model-{destination.id}", "model", folder, metadata, names)


def log_bundle(talk: Any, run: Path, destination: Destination) -> None:
    """Send a run's bundle, with the artifacts of the checkpoints it was made of."""
    manifest = read_record(run / BUNDLE / "manifest.json", dict)
    made_of = {task: {**about, "artifact": _artifact_of(about)} for task, about in manifest["checkpoint"].items()}
    names = [about["artifact"] for about in made_of.values() if about["artifact"] is not None]
    if not talk.offline:
        for name in names:
            with contextlib.suppress(wandb.Error, ValueError):  # it was not sent; the metadata names it
                talk.use_artifact(name, type="model")
    facts: dict[str, Any] = {key: manifest[key] for key in ("gates", "versions", "created") if key in manifest}
    _log(talk, f"bundle-{destination.id}", "bundle", run / BUNDLE, {"checkpoint": made_of, **facts, **_origin(run)}, [])


def _artifact_of(about: Mapping[str, Any]) -> str | None:
    """`name:alias` of the artifact that holds a bundle's checkpoint; None where its run is not there."""
    run = Path(about["run"])
    destination = Destination.find(run)
    if destination is None:
        return None
    for alias in ALIASES:
        document = run / CHECKPOINTS / alias / ABOUT
        if document.exists() and read_record(document, dict)["sha256"] == about["sha256"]:
            return f"model-{destination.id}:{alias}"
    return None


def _origin(run: Path) -> dict[str, Any]:
    """The run's directory, its code and machine, and hashes of its data."""
    files = RunDirectory.open(run)
    data = files.data if (run / DATA).is_file() else {}
    data = {key: value for key, value in data.items() if key in ("name", "store", "inputs")}
    return {"run": str(run), "lineage": files.lineage if (run / LINEAGE).is_file() else None, "data": data}


def _log(talk: Any, name: str, kind: str, folder: Path, metadata: Mapping[str, Any], aliases: list[str]) -> None:
    artifact = wandb.Artifact(name, type=kind, metadata=without_secrets(json.loads(json.dumps(metadata))))
    artifact.add_dir(str(folder), policy="immutable", skip_cache=True)  # no second copy on disk
    talk.log_artifact(artifact, aliases=aliases)
