"""python -m recsys.serve BUNDLE --requests requests.parquet --out answers.parquet: the answers of a whole file, in bounded memory."""

import argparse
import contextlib
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from recsys.serve.fields import BadRow
from recsys.serve.manifest import BundleError, read_manifest
from recsys.serve.ranker import Ranker
from recsys.serve.retriever import Retriever

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from rich.console import Console
    from rich.progress import Progress

    from recsys.serve.blocks import blocks, calls, large_rows, open_requests, python_columns
except ImportError as error:
    LACK = f"{error}; files of requests need two more packages: pip install pyarrow rich"
else:
    LACK = ""

BLOCK = 8_192
"""Rows that are read and written at once, whatever the size of a call."""
SHOWN = 5
"""Bad rows that are printed."""
GRAPHS = {"retrieval": "retriever.onnx", "ranking": "ranker.onnx"}
EPILOG = """\
requests: one row per request, raw features under their column names; a missing value is null. For retrieval they are the user's,
and a list column `exclude` may hold ids that must not be answered; for ranking they are the user's, the item's and the context's.

answers: one row per request in the same order; `items` and `scores`, or one column per label. They are null where a request was bad;
those are counted, the first are printed, and --errors takes them all: row, field, got, want.

exit codes: 0 written (bad rows are counted), 2 wrong arguments, 3 the requests cannot be read, 4 the bundle is damaged
"""
Answers = dict[str, list[Any]]
Answering = Callable[[Answers, list[BadRow]], Answers]


class UsageError(Exception):
    """Arguments that do not fit each other or what is on disk."""


class WriteError(Exception):
    """A file of answers cannot be written: its path, and why."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        task = _served_task(options)
        schema, answer, ignored = _answering(options, task)
        count, bad = _score(options, schema, answer)
    except (UsageError, WriteError) as error:
        print(error, file=sys.stderr)
        return 2
    except BundleError as error:
        print(error, file=sys.stderr)
        return 4
    except (ValueError, OSError, pa.ArrowException) as error:
        print(f"{options.requests}: {error}", file=sys.stderr)
        return 3
    print(f"{options.out}: {count:,} request{'s' * (count != 1)} answered" + (f", {bad:,} bad one{'s' * (bad != 1)} not" if bad else ""))
    if ignored:
        print(f"ignored, as the model does not read them: {', '.join(map(repr, ignored))}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m recsys.serve",
        description="Answer every request of a parquet file from a bundle.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder that export.py has written")
    parser.add_argument("--requests", metavar="FILE", type=Path, required=True, help="parquet file, one row per request")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="parquet file of the answers; appears when it is whole")
    parser.add_argument("--errors", metavar="FILE", type=Path, help="parquet file of what is wrong with bad rows")
    parser.add_argument("--task", choices=GRAPHS, help="which part of the bundle answers (default: the one it has)")
    parser.add_argument("--key", metavar="FILE", type=Path, help="public key whose owner has to have signed the bundle")
    parser.add_argument(
        "--ignore-extra", action="store_true", help="leave out columns that the model does not read, and name them at the end"
    )
    parser.add_argument("--k", type=_count, default=10, help="answers of a retrieval request (default: %(default)s)")
    parser.add_argument("--threads", type=_count, default=1, help="threads that one call may use (default: %(default)s)")
    parser.add_argument("--batch-size", metavar="ROWS", type=_count, default=64, help="rows of one call (default: %(default)s)")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, want at least 1")
    return number


def _served_task(options: argparse.Namespace) -> str:
    """The task. A UsageError where packages, files or bundle do not allow it."""
    if LACK:
        raise UsageError(LACK)
    if not options.requests.is_file():
        raise UsageError(f"--requests: there is no file {options.requests}")
    targets = [path for path in (options.out, options.errors) if path is not None]
    for path in targets:
        if not path.resolve().parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.resolve().parent}; make it first")
    if len({path.resolve() for path in [options.requests, *targets]}) <= len(targets):
        raise UsageError("--requests, --out and --errors name one file twice; choose another name")
    held = [task for task, graph in GRAPHS.items() if graph in read_manifest(options.bundle)["files"]]
    if options.task is None and len(held) != 1:
        raise UsageError(f"the bundle answers {' and '.join(held) or 'nothing'}; add --task retrieval or --task ranking")
    if options.task is not None and options.task not in held:
        raise UsageError(f"--task {options.task}: the bundle answers {' and '.join(held) or 'nothing'}")
    return options.task or held[0]


def _answering(options: argparse.Namespace, task: str) -> "tuple[pa.Schema, Answering, list[str]]":
    """The schema of answers, what makes them of a dict of columns, and the names of the columns that it leaves out, once it has."""
    if task == "ranking":
        ranker = Ranker(options.bundle, options.threads, key=options.key, ignore_extra=options.ignore_extra)

        def predict(columns: Answers, errors: list[BadRow]) -> Answers:
            predicted = ranker.predict(columns, errors=errors)
            bad = {fault.row for fault in errors}
            return {label: [None if row in bad else value for row, value in enumerate(values)] for label, values in predicted.items()}

        return pa.schema([(label, pa.float32()) for label in ranker.labels]), predict, ranker.ignored
    retriever = Retriever(options.bundle, options.threads, key=options.key, ignore_extra=options.ignore_extra)

    def recommend(columns: Answers, errors: list[BadRow]) -> Answers:
        exclude = columns.pop("exclude", None)
        answers = retriever.recommend(columns, options.k, exclude, errors=errors)
        return {"items": [answer and answer.items for answer in answers], "scores": [answer and answer.scores for answer in answers]}

    ids = pa.string() if retriever.manifest["items"]["dtype"] == "string" else pa.int64()
    return pa.schema([("items", pa.list_(ids)), ("scores", pa.list_(pa.float32()))]), recommend, retriever.ignored


def _score(options: argparse.Namespace, schema: "pa.Schema", answer: Answering) -> tuple[int, int]:
    """Answer the file block by block; numbers of answered and of bad requests."""
    faults = pa.schema([("row", pa.int64()), ("field", pa.string()), ("got", pa.string()), ("want", pa.string())])
    console = Console(stderr=True)
    first: list[BadRow] = []
    bad_values, bad_rows, start = 0, 0, 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open_requests(options.requests))
        answers = stack.enter_context(_whole_table(options.out, schema))
        errors = stack.enter_context(_whole_table(options.errors, faults)) if options.errors else None
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        bar = progress.add_task("requests", total=file.metadata.num_rows)
        for block in blocks(file, BLOCK):
            answered: Answers = {name: [] for name in schema.names}
            sizes, faults_of_block = large_rows(block, start)
            large = {fault.row - start for fault in faults_of_block}
            for at, rows in calls(sizes, options.batch_size):
                batch, left_out = block.slice(at, rows), [row - at for row in sorted(large) if at <= row < at + rows]
                bad: list[BadRow] = []
                for name, values in answer(python_columns(batch, left_out), bad).items():
                    answered[name] += [None if row in left_out else value for row, value in enumerate(values)]
                faults_of_block += [BadRow(start + at + fault.row, *fault.args[1:]) for fault in bad]
                progress.advance(bar, len(batch))
            answers.write_table(pa.table(answered, schema))
            if errors and faults_of_block:
                errors.write_table(pa.Table.from_pylist([vars(fault) for fault in faults_of_block], faults))
            first += faults_of_block[: SHOWN - len(first)]
            bad_values, bad_rows = bad_values + len(faults_of_block), bad_rows + len({fault.row for fault in faults_of_block})
            start += len(block)
    for fault in first:
        console.print(f"bad: {fault}", markup=False, highlight=False, soft_wrap=True)
    if bad_values > len(first):
        where = f"see {options.errors}" if options.errors else "--errors FILE takes them all"
        console.print(f"and {bad_values - len(first):,} more; {where}", highlight=False, soft_wrap=True)
    return start - bad_rows, bad_rows


@contextlib.contextmanager
def _whole_table(path: Path, schema: "pa.Schema") -> "Iterator[pq.ParquetWriter]":
    """A parquet file that appears whole, or not at all."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    if path.is_dir():
        raise WriteError(f"{path}: it is a folder; name a file")
    try:
        writer = pq.ParquetWriter(partial, schema)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}; name a file of a folder of yours") from error
    try:
        with writer:
            yield writer
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
