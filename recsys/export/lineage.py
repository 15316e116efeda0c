"""What a manifest says of where its models come from: code, lock file, data, config, seed, and what each run recorded."""

import hashlib
import json
from collections.abc import Sequence

from recsys.data.read.facts import data_facts
from recsys.run.directory import CONFIG, RunDirectory
from recsys.run.lineage import CODE, git, lock


def lineage(runs: Sequence[RunDirectory]) -> dict:
    """The manifest's "lineage". Code and lock file are those of the export; under "train" stands what each run recorded of its own.

    Config values are those that the runs saved; data is described by hashes, counts and dates, never by its rows.
    """
    return {
        "git": git(CODE),
        "lock": lock(CODE),
        "data": {run.task: data_facts(run.store, run.config.data.name) for run in runs},
        "config": {run.task: _config(run) for run in runs},
        "seed": {run.task: run.config.seed for run in runs},
        "train": {run.task: _train(run) for run in runs},
    }


def _train(run: RunDirectory) -> dict:
    """What the run recorded, and the hash of its config; without the store, which is a folder of one machine."""
    recorded = {key: value for key, value in run.lineage.items() if key != "store"}
    return {**recorded, "config_sha256": hashlib.sha256((run.path / CONFIG).read_bytes()).hexdigest()}


def _config(run: RunDirectory) -> dict:
    """config.yaml as plain JSON, which has no infinity."""
    return json.loads(json.dumps(run.plain), parse_constant=str)
