"""Lines of conf/data/<name>.yaml: a draft, with the reason of each guess."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from recsys.infer.tables import Draft, Line

YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def yaml_lines(draft: Draft, *, name: str, root: str, paths: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    """Lines of conf/data/<name>.yaml.

    Args:
        root: folder that `paths` are relative to.
        paths: {"interactions" | "users" | "items": path, glob or folder}; a table that does not exist is missing.
        arguments: those of `TableFiles` besides paths.
    """
    yield f"# A first reading of {', '.join(map(str, paths.values()))}; check its comments.   python train.py data={name}"
    yield f"name: {_scalar(name)}"
    yield f"root: {_scalar(root)}"
    yield "source:"
    yield "  _target_: recsys.source.tables.TableFiles"
    yield "  root: ${data.root}"
    yield from (f"  {table}: {_scalar(paths.get(table))}" for table in ("interactions", "users", "items"))
    yield from (f"  {key}: {_scalar(value)}" for key, value in arguments.items())
    yield f"user: {_scalar(draft.user)}  # {draft.why['user']}"
    yield f"item: {_scalar(draft.item)}  # {draft.why['item']}"
    yield f"time: {_scalar(draft.time.column)}  # {draft.time.why}" if draft.time else "time: null  # no column orders a user's rows"
    yield f"time_unit: {draft.time.unit if draft.time else 'datetime'}"
    yield "features:"
    yield from (f"  - {_feature(line)}" for line in draft.lines if line.used)
    proposed = [line for line in draft.lines if not line.used and line.guess.kind]
    if proposed:
        yield "  # Columns of the interactions: uncomment those that are known before the user chooses; any other one leaks the answer."
        yield from (f"  # - {_feature(line)}" for line in proposed)
    left_out = [line for line in draft.lines if not line.used and not line.guess.kind]
    if left_out:
        yield "  # Left out:"
        yield from (f"  # {line.column}: {line.guess.why}" for line in left_out)
    yield "labels:" if draft.labels else "labels: []  # no 0/1 column of the interactions has the name of something to predict"
    for label in draft.labels:
        node = {"_target_": "recsys.schema.Label", "column": label.column} | ({"given": label.given} if label.given else {})
        yield f"  - {_mapping(node)}  # {draft.why[label.column]}"
    yield f"positive: {_scalar(draft.positive)}  # " + ("the most frequent label" if draft.positive else "null: every row")
    yield f"split:  # {draft.why['split']}"
    yield from (f"  {key}: {_scalar(value)}" for key, value in draft.split.items())
    yield f"bad_rows: {draft.bad_rows}  # {draft.why['bad_rows']}"
    yield "max_unknown_share: 0.2  # of validation or test rows with an id unseen in training; more is refused"
    yield "max_feature_auc: 0.99  # for a label in training, that one feature alone may reach; more was written after the fact. 1 = off"
    yield "store: .cache/store"


def _feature(line: Line) -> str:
    node = {"_target_": f"recsys.schema.{line.guess.kind}", "column": line.column, "entity": line.entity} | dict(line.guess.options)
    return f"{_mapping(node)}  # {line.guess.why}"


def _mapping(values: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{_scalar(key)}: {_scalar(value)}" for key, value in values.items()) + "}"


def _scalar(value: object) -> str:
    """A value as yaml writes it; text in quotes where it would be read as something else."""
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"(\.{0,2}/)*[A-Za-z_][\w./*-]*", value) and value.lower() not in YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
