"""What a manifest says of where its models come from: code, lock file, data, config, seed, and what each run recorded."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from recsys.data.split import NAMES
from recsys.data.store import Store, read_manifest
from recsys.lineage import CODE, git, lock
from recsys.rebuild import FinishedRun


def lineage(runs: Sequence[FinishedRun]) -> dict:
    """The manifest's "lineage". Code and lock file are those of the export; under "train" stands what each run recorded of its own.

    Config values are those that the runs saved; data is described by hashes, counts and dates, never by its rows.
    """
    return {
        "git": git(CODE),
        "lock": lock(CODE),
        "data": {run.task: _data(run) for run in runs},
        "config": {run.task: _config(run) for run in runs},
        "seed": {run.task: run.config.seed for run in runs},
        "train": {run.task: _train(run) for run in runs},
    }


def _train(run: FinishedRun) -> dict:
    """What the run recorded, and the hash of its config; without the store, which is a folder of one machine."""
    recorded = {key: value for key, value in run.lineage.items() if key != "store"}
    return {**recorded, "config_sha256": hashlib.sha256((run.path / "config.yaml").read_bytes()).hexdigest()}


def _config(run: FinishedRun) -> dict:
    """config.yaml as plain JSON, which has no infinity."""
    return json.loads(json.dumps(yaml.safe_load((run.path / "config.yaml").read_text())), parse_constant=str)


def _data(run: FinishedRun) -> dict:
    store, manifest = run.store, read_manifest(run.store.path)
    calendar = run.schema.time is not None and run.schema.time_unit != "rank" and len(store.time) > 0
    return {
        "name": run.config.data.name,
        "store": manifest["key"],
        "inputs": [
            {"table": entry["table"], "file": Path(entry["path"]).name, **{key: entry[key] for key in ("size", "sha256", "whole")}}
            for entry in manifest["inputs"]
        ],
        "counts": {name: manifest["counts"][name] for name in ("rows", "users", "items")},
        "split": _split(store, manifest["counts"], run),
        "dates": [_date(int(store.time.min())), _date(int(store.time.max()))] if calendar else None,
        "boundaries": None if store.boundaries is None else {name: _date(moment) for name, moment in store.boundaries.items()},
        "notes": [_without_folders(note, manifest["inputs"]) for note in store.notes],
    }


def _without_folders(note: str, entries: Sequence[dict]) -> str:
    """A sentence that names input files by their names alone, as a bundle leaves the machine."""
    for name in {Path(entry["path"]).name for entry in entries} - {""}:
        note = re.sub(rf"\S*/{re.escape(name)}", lambda _, name=name: name, note)
    return note


def _split(store: Store, counts: dict[str, int], run: FinishedRun) -> dict[str, dict[str, int]]:
    """{part: rows, positives, and distinct users and items, with how many rows have one that training never saw}."""
    code = store.split.numpy()
    parts = {name: {"rows": counts[f"{name} rows"], "positives": counts[f"{name} positives"]} for name in NAMES}
    for noun, index, column, number in (
        ("users", store.user, run.schema.user, store.num_users),
        ("items", store.item, run.schema.item, store.num_items),
    ):
        if column is None:
            continue
        seen = np.zeros((len(NAMES), number + 1), dtype=bool)
        seen[code, index.numpy()] = True
        for name, inside in zip(NAMES, seen):
            parts[name][noun] = int(inside.sum())
        for place, name in list(enumerate(NAMES))[1:]:
            parts[name][f"rows_of_new_{noun}"] = int((~seen[0][index.numpy()[code == place]]).sum())
    return parts


def _date(microseconds: int) -> str:
    """A moment to the second, as ISO 8601 in UTC."""
    return str(np.datetime_as_string(np.datetime64(microseconds, "us"), unit="s", timezone="UTC"))
