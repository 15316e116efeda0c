"""MovieLens-1M, from the published ratings.dat, users.dat and movies.dat or from parquet tables of the same content."""

from pathlib import Path

import polars as pl
import polars.selectors as cs

from recsys.errors import DataError
from recsys.source.base import FILE, ROW, Source, Tables, find_files, folder, scan

TABLES = {"interactions": "ratings", "users": "users", "items": "movies"}
COLUMNS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "interactions": {"user_id": pl.Int32, "movie_id": pl.Int32, "rating": pl.Int8, "seq_pos": pl.Int32},
    "users": {"user_id": pl.Int32, "gender": pl.String, "age": pl.Int8, "occupation": pl.Int8, "zip": pl.String},
    "items": {"movie_id": pl.Int32, "title": pl.String, "genres": pl.List(pl.String), "year": pl.Int16},
}


class MovieLens(Source):
    """6,040 users, 3,883 movies, 1,000,209 ratings; columns and types are the same for both formats.

    `seq_pos` is the chronological rank of a rating within its user, from 0. Order by it alone: the parquet tables know most
    timestamps only in part, so there is no calendar and no global temporal split. Ratings whose rank is unknown (null in the
    parquet) get rank -1, before all others of their user. In .dat files, ratings of one second keep the order of the file.

    Source: Harper and Konstan, The MovieLens Datasets, TiiS 2015. Research use only.

    Args:
        root: folder of either three .dat files ("::" between fields) or three .parquet files.
    """

    def __init__(self, root: Path | None):
        self.root = root

    def tables(self) -> Tables:
        """Ratings, users and movies; a DataError names each missing file."""
        root = folder(self.root, "ratings.dat, users.dat and movies.dat, or the same as .parquet")
        published = not (root / "ratings.parquet").exists() and (root / "ratings.dat").exists()
        suffix = ".dat" if published else ".parquet"
        searches = {table: find_files(root / f"{name}{suffix}", "data.root") for table, name in TABLES.items()}
        faults = [fault for _, missing in searches.values() for fault in missing]
        if faults:
            raise DataError(*faults)
        files = {table: paths for table, (paths, _) in searches.items()}
        read = _read_published if published else _read_parquet
        parts: dict[str, tuple[pl.LazyFrame, ...]] = {table: (read(table, paths[0]),) for table, paths in files.items()}
        notes = () if published else _unranked(files["interactions"][0])
        return Tables.from_parts(files, parts, notes)


def _read_parquet(table: str, file: Path) -> pl.LazyFrame:
    frame = scan(file).select(cs.by_name(*COLUMNS[table], FILE, ROW, require_all=False))  # a missing column is named by validation
    typed = (cs.by_name(column, require_all=False).cast(dtype) for column, dtype in COLUMNS[table].items())
    return frame.with_columns(typed).with_columns(cs.by_name("seq_pos", require_all=False).fill_null(-1))


def _unranked(file: Path) -> tuple[str, ...]:
    try:
        count, total = pl.scan_parquet(file).select(pl.col("seq_pos").null_count(), pl.len().alias("ratings")).collect().row(0)
    except (pl.exceptions.PolarsError, OSError):
        return ()  # a file without the column, or no parquet at all: validation names it
    return (f"{count:,} of {total:,} ratings have no seq_pos and stand before all others of their user",) if count else ()


def _read_published(table: str, file: Path) -> pl.LazyFrame:
    columns = COLUMNS[table]
    if table == "items":
        return _read_movies(file)
    fields = [column.replace("seq_pos", "timestamp") for column in columns]
    # Polars separates by one byte, so "::" leaves an empty field between every two.
    fields = [name for column in fields for name in (column, f"after_{column}")][:-1]
    lines = pl.scan_csv(file, has_header=False, separator=":", quote_char=None, schema=dict.fromkeys(fields, pl.String), row_index_name=ROW)
    if table == "interactions":
        # A field that is no number becomes null, which validation names by file, row and column.
        seconds = pl.col("timestamp").cast(pl.Int64, strict=False)
        lines = lines.with_columns(seq_pos=seconds.rank("ordinal").over("user_id").cast(pl.Int32) - 1)
    typed = [pl.col(column).cast(dtype, strict=False) for column, dtype in columns.items()]
    return lines.select(*typed, pl.lit(str(file)).alias(FILE), ROW)


def _read_movies(file: Path) -> pl.LazyFrame:
    """movies.dat is Latin-1, which Polars does not decode, and small: 3,883 lines."""
    lines = pl.LazyFrame({"line": file.read_text(encoding="latin-1").rstrip("\n").split("\n")}).with_row_index(ROW)
    field = pl.col("line").str.strip_chars_end("\r").str.split("::").list
    title = field.get(1, null_on_oob=True)
    return lines.select(
        field.get(0, null_on_oob=True).cast(pl.Int32, strict=False).alias("movie_id"),
        title.alias("title"),
        field.get(2, null_on_oob=True).str.split("|").alias("genres"),
        title.str.extract(r"\((\d{4})\)\s*$").cast(pl.Int16).alias("year"),
        pl.lit(str(file)).alias(FILE),
        ROW,
    )
