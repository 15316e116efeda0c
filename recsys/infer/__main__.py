"""python -m recsys.infer interactions.parquet [users.parquet items.parquet]: writes a first conf/data/<name>.yaml."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import polars as pl

from recsys.errors import ConfigError, DataError, Fault, RecsysError
from recsys.infer.tables import Draft, Line, infer
from recsys.source.base import FILE, ROW, SUFFIXES, column_types, concat_rows, find_files, scan

WILD = frozenset("*?[")
"""Characters of a glob."""
YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
EPILOG = """\
The yaml trains as it stands: python train.py data=NAME. Each line carries the reason for its guess as a comment; read them once,
correct what is wrong, and uncomment columns of the interactions that are known before the user chooses.

exit codes: 0 written, 2 wrong arguments or the yaml exists already, 3 the tables cannot be read or do not belong together
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        path, draft = _write_draft(options)
    except RecsysError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    used = sum(line.used for line in draft.lines)
    print(f"{path}: {used} features, {len(draft.lines) - used} columns left out or only proposed, {len(draft.labels)} labels")
    print(f"next: read its comments, then python train.py data={path.stem}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recsys.infer",
        description="Guess the kind of every column from its type, values and name, and write a first conf/data/<name>.yaml.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    files = f"each a file ({', '.join(SUFFIXES)}), a quoted glob or a folder"
    parser.add_argument("interactions", metavar="INTERACTIONS", help=f"one row per interaction or impression; {files}")
    parser.add_argument(
        "others", nargs="*", metavar="TABLE", help="users and items, one row each, in any order; recognised by their id column"
    )
    parser.add_argument("--name", help="name of the data set and its yaml (default: from the file name)")
    parser.add_argument("--out", type=Path, default=Path("conf/data"), help="folder of the yaml (default: %(default)s)")
    parser.add_argument("--user", metavar="COLUMN", help="user id column, where its name does not tell")
    parser.add_argument("--item", metavar="COLUMN", help="item id column, where its name does not tell")
    parser.add_argument("--time", metavar="COLUMN", help="column that orders a user's rows, where its name does not tell")
    parser.add_argument("--separator", help="between the fields of CSV files (default: a tab for .tsv, else a comma)")
    parser.add_argument(
        "--null", action="append", default=[], metavar="TEXT", help="text that means a missing value in CSV files; may be repeated"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a yaml that exists")
    return parser


def _write_draft(options: argparse.Namespace) -> tuple[Path, Draft]:
    name = options.name or _name(options.interactions)
    path = options.out / f"{name}.yaml"
    patterns = [options.interactions, *options.others]
    faults = list(_argument_faults(options, name, path))
    if faults:
        raise ConfigError(*faults)
    opened = {pattern: _open(Path(pattern), options.separator, options.null) for pattern in patterns}
    frames = {pattern: frame for pattern, (frame, _) in opened.items()}
    try:
        draft = infer(frames, now_s=time.time(), user=options.user, item=options.item, time=options.time)
    except (pl.exceptions.PolarsError, OSError) as error:
        what = f"rows cannot be read: {str(error).splitlines()[0]}"
        raise DataError(Fault(what, ", ".join(patterns), "repair the value, or say --null or --separator")) from error
    differing = {column: dtype for _, types in opened.values() for column, dtype in types.items()}
    draft = replace(draft, types=differing | dict(draft.types))
    tables = {"interactions": options.interactions, "users": draft.users, "items": draft.items}
    root, paths = _root_and_paths({table: pattern for table, pattern in tables.items() if pattern is not None})
    lines = yaml_lines(draft, name=name, root=root, paths=paths, separator=options.separator, nulls=tuple(options.null))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, draft


def _argument_faults(options: argparse.Namespace, name: str, path: Path) -> Iterator[Fault]:
    if len(options.others) > 2:
        yield Fault(f"{1 + len(options.others)} tables", " ".join(options.others), "give interactions, users and items; quote globs")
    if not re.fullmatch(r"\w[\w-]*", name):
        yield Fault(f"'{name}' is no name for a data set", "--name", "use letters, digits, _ and -")
    if not options.out.is_dir():
        yield Fault(f"no folder '{options.out}'", "--out", "run this in the project's folder, or name the folder of its data yamls")
    if path.exists() and not options.force:
        yield Fault("the file exists", str(path), "choose another --name, or overwrite it with --force")


def _name(pattern: str) -> str:
    """A data set's name from a path: the file's stem, or the folder's name where the file is a wildcard."""
    plain = [part for part in Path(pattern).absolute().parts if not WILD & set(part)]
    return re.sub(r"\W+", "_", plain[-1].split(".")[0]).strip("_") or "tables"


def _open(pattern: Path, separator: str | None, nulls: Sequence[str]) -> tuple[pl.LazyFrame, dict[str, str]]:
    """One table's rows, and the types that make its files alike where they differ."""
    files, faults = find_files(pattern.expanduser(), "the path")
    foreign = [file for file in files if not file.name.endswith(SUFFIXES)]
    faults += tuple(Fault("the file cannot be read", str(file), f"use files ending in {', '.join(SUFFIXES)}") for file in foreign)
    if faults:
        raise DataError(*faults)
    parts = [scan(file, separator=separator, nulls=nulls).drop(FILE, ROW) for file in files]
    dtypes: dict[str, set[pl.DataType]] = {}
    for file, part in zip(files, parts):
        for column, dtype in column_types(part, file).items():
            dtypes.setdefault(column, set()).add(dtype)
    differing = {column: types for column, types in dtypes.items() if len(types) > 1 and not any(dtype.is_nested() for dtype in types)}
    return concat_rows(parts), {column: _common_type(types - {pl.Null()}) for column, types in differing.items()}


def _common_type(dtypes: Set[pl.DataType]) -> str:
    if all(dtype.is_temporal() for dtype in dtypes):
        return "datetime"
    if all(dtype.is_integer() for dtype in dtypes):
        return "int64"
    return "float64" if all(dtype.is_numeric() for dtype in dtypes) else "string"


def _root_and_paths(patterns: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The deepest folder above all patterns, as typed where that was relative, and each pattern from there."""
    typed = {table: Path(pattern).expanduser() for table, pattern in patterns.items()}
    above = [Path(*takewhile(lambda part: not WILD & set(part), path.parent.parts)).absolute() for path in typed.values()]
    common = os.path.commonpath(above)
    paths = {table: os.path.relpath(path.absolute(), common) for table, path in typed.items()}
    return common if any(path.is_absolute() for path in typed.values()) else os.path.relpath(common), paths


def yaml_lines(
    draft: Draft, *, name: str, root: str, paths: Mapping[str, str], separator: str | None, nulls: tuple[str, ...]
) -> Iterator[str]:
    """Lines of conf/data/<name>.yaml.

    Args:
        root: folder that `paths` are relative to.
        paths: {"interactions" | "users" | "items": path, glob or folder}; a table that does not exist is missing.
    """
    yield f"# A first reading of {', '.join(paths.values())}; check its comments.   python train.py data={name}"
    yield f"name: {_scalar(name)}"
    yield f"root: {_scalar(root)}"
    yield "source:"
    yield "  _target_: recsys.source.tables.TableFiles"
    yield "  root: ${data.root}"
    yield from (f"  {table}: {_scalar(paths.get(table))}" for table in ("interactions", "users", "items"))
    yield f"  types: {_mapping(draft.types)}"
    yield f"  lists: {_mapping(draft.lists)}"
    yield f"  separator: {_scalar(separator)}"
    yield f"  nulls: [{', '.join(_scalar(null) for null in nulls)}]"
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
    if isinstance(value, str) and re.fullmatch(r"(\.{0,2}/)*[A-Za-z_][\w./*-]*", value) and value.lower() not in YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
