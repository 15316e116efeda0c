"""Facts of prepared data: hashes, counts and dates."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recsys.data.split import NAMES
from recsys.data.store import Store, read_manifest


def data_facts(store: Store, name: str) -> dict:
    """Facts of a prepared data set, without its rows and the folders of this machine.

    Args:
        name: of the data config.
    """
    manifest, schema = read_manifest(store.path), store.schema
    calendar = schema.time is not None and schema.time_unit != "rank" and len(store.time) > 0
    return {
        "name": name,
        "store": manifest["key"],
        "inputs": [
            {"table": entry["table"], "file": Path(entry["path"]).name, **{key: entry[key] for key in ("size", "sha256", "whole")}}
            for entry in manifest["inputs"]
        ],
        "counts": {name: manifest["counts"][name] for name in ("rows", "users", "items")},
        "split": _split_facts(store, manifest["counts"]),
        "dates": [_date(int(store.time.min())), _date(int(store.time.max()))] if calendar else None,
        "boundaries": None if store.boundaries is None else {name: _date(moment) for name, moment in store.boundaries.items()},
        "notes": [_sentence_without_folders(note, manifest["inputs"]) for note in store.notes],
    }


def _sentence_without_folders(note: str, entries: Sequence[dict]) -> str:
    """A sentence that names input files by their names alone."""
    for name in {Path(entry["path"]).name for entry in entries} - {""}:
        note = re.sub(rf"\S*/{re.escape(name)}", lambda match: Path(match[0]).name, note)
    return note


def _split_facts(store: Store, counts: dict[str, int]) -> dict[str, dict[str, int]]:
    """{part: rows, positives, and distinct users and items, with how many rows have one that training never saw}."""
    code = store.split.cpu().numpy()
    parts = {name: {"rows": counts[f"{name} rows"], "positives": counts[f"{name} positives"]} for name in NAMES}
    for noun, index, column, number in (
        ("users", store.user, store.schema.user, store.num_users),
        ("items", store.item, store.schema.item, store.num_items),
    ):
        if column is None:
            continue
        seen = np.zeros((len(NAMES), number + 1), dtype=bool)
        seen[code, index.cpu().numpy()] = True
        for name, inside in zip(NAMES, seen):
            parts[name][noun] = int(inside.sum())
        for place, name in list(enumerate(NAMES))[1:]:
            parts[name][f"rows_of_new_{noun}"] = int((~seen[0][index.cpu().numpy()[code == place]]).sum())
    return parts


def _date(microseconds: int) -> str:
    """A moment to the second, as ISO 8601 in UTC."""
    return str(np.datetime_as_string(np.datetime64(microseconds, "us"), unit="s", timezone="UTC"))
