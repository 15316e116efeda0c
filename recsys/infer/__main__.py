"""python -m recsys.infer interactions.parquet [users.parquet items.parquet]: writes a first conf/data/<name>.yaml."""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from recsys.disk import write_whole
from recsys.errors import ConfigError, Fault, RecsysError
from recsys.infer.opened import Opened
from recsys.infer.read import Answers
from recsys.infer.summary import summary_lines
from recsys.infer.tables import Draft, Roles, infer
from recsys.infer.yaml_file import yaml_lines
from recsys.schema.kind.timestamp import UNITS
from recsys.source.base import SUFFIXES
from recsys.source.tables import TableFiles
from recsys.source.values import TYPES

WILD = frozenset("*?[")
"""Characters of a glob."""
EPILOG = """\
The yaml trains as it stands: python train.py data=NAME. Each line carries the reason for its guess as a comment; read them once,
correct what is wrong, and uncomment columns of the interactions that are known before the user chooses.

exit codes: 0 written, 2 wrong arguments or the yaml exists already, 3 the tables cannot be read or do not belong together
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        path, draft, lines = _write_draft(options)
    except RecsysError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join(lines))
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
    parser.add_argument("--user", metavar="COLUMN", help="user id column, where its name does not tell; null: rows name no user")
    parser.add_argument("--item", metavar="COLUMN", help="item id column, where its name does not tell; null: rows name no item")
    parser.add_argument("--time", metavar="COLUMN", help="column that orders a user's rows, where its name does not tell; null: none does")
    parser.add_argument("--time-unit", choices=[*UNITS, "rank"], help="unit of a time that is a number")
    parser.add_argument(
        "--label", action="append", default=[], type=_label, metavar="COLUMN[=VALUE]", help="label, and the value that is its 1"
    )
    parser.add_argument("--not-label", action="append", default=[], metavar="COLUMN", help="column that is no label, whatever its name")
    parser.add_argument("--type", action="append", default=[], type=_pair, metavar="COLUMN=TYPE", help=f"one of {', '.join(TYPES)}")
    parser.add_argument(
        "--format", action="append", default=[], type=_pair, metavar="COLUMN=FORMAT", help="of a column of moments, as %%d.%%m.%%Y %%H:%%M"
    )
    text = "of text files:"
    parser.add_argument("--separator", help=f"{text} between the fields")
    parser.add_argument("--columns", metavar="NAMES", help=f"{text} names of the columns, with commas, where no first line has them")
    parser.add_argument("--encoding", help=f"{text} as Python names it, such as latin-1")
    parser.add_argument("--escape", help=f"{text} character before a quote inside a quoted field (default: the quote is doubled)")
    parser.add_argument("--decimal", choices=[".", ","], help=f"{text} decimal mark")
    parser.add_argument("--null", action="append", default=[], metavar="TEXT", help=f"{text} a missing value; may be repeated")
    parser.add_argument("--force", action="store_true", help="overwrite a yaml that exists")
    return parser


def _pair(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' has no '=', want COLUMN=...")
    return column, value


def _label(text: str) -> tuple[str, str | None]:
    return _pair(text) if "=" in text else (text, None)


def _write_draft(options: argparse.Namespace) -> tuple[Path, Draft, list[str]]:
    name = options.name or _name(options.interactions)
    path = options.out / f"{name}.yaml"
    patterns = [options.interactions, *options.others]
    faults = list(_argument_faults(options, name, path))
    if faults:
        raise ConfigError(*faults)
    answers = _answers(options)
    root, _ = _root_and_paths({pattern: pattern for pattern in patterns})
    opened = Opened.of(patterns, answers, root=Path(root).absolute(), ones=dict(options.label), others=options.not_label)
    roles = Roles(options.user, options.item, options.time, options.time_unit, dict(options.label), options.not_label)
    draft = infer(opened.frames, now_s=time.time(), roles=roles)
    tables = {"interactions": options.interactions, "users": draft.users, "items": draft.items}
    root, paths = _root_and_paths({table: pattern for table, pattern in tables.items() if pattern is not None})
    arguments = answers.arguments()
    arguments |= {"types": opened.types | answers.types | dict(draft.types), "formats": answers.formats | dict(draft.formats)}
    arguments = {**arguments, "lists": dict(draft.lists)}
    if opened.parts:
        base = Path(root).absolute()
        inside = {part: [os.path.relpath(file.absolute(), base) for file in files] for part, files in opened.parts.items()}
        paths["interactions"] = {part: files[0] if len(files) == 1 else files for part, files in inside.items()}
    lines = summary_lines(TableFiles(Path(root), **paths, **arguments), draft)
    text = "\n".join(yaml_lines(draft, name=name, root=root, paths=paths, arguments=arguments)) + "\n"
    write_whole(path, text)
    return path, draft, lines


def _answers(options: argparse.Namespace) -> Answers:
    columns = [column.strip() for column in options.columns.split(",")] if options.columns else []
    answers = Answers(options.separator, columns, options.encoding or "utf-8", options.escape, options.decimal, options.null)
    answers.types, answers.formats = dict(options.type), dict(options.format)
    answers.types |= {column: "datetime" for column in answers.formats if column not in answers.types}
    return answers


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


def _root_and_paths(patterns: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """The deepest folder above all patterns, as typed where that was relative, and each pattern from there."""
    typed = {table: Path(pattern).expanduser() for table, pattern in patterns.items()}
    above = [Path(*takewhile(lambda part: not WILD & set(part), path.parent.parts)).absolute() for path in typed.values()]
    common = os.path.commonpath(above)
    paths = {table: os.path.relpath(path.absolute(), common) for table, path in typed.items()}
    return common if any(path.is_absolute() for path in typed.values()) else os.path.relpath(common), paths


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
