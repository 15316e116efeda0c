"""UCI Online Retail: invoice lines of a gift wholesaler, December 2010 to December 2011, with all their dirt."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import polars as pl

from recsys.errors import DataError, Fault
from recsys.schema import nearest
from recsys.source.base import FILE, ROW, Reading, Source, Tables, column_types, find_files, folder, scan
from recsys.source.values import TYPES

COLUMNS = {
    "invoice_no": "string",
    "stock_code": "string",
    "description": "string",
    "quantity": "int64",
    "invoice_date": "datetime",
    "unit_price": "float64",
    "customer_id": "int64",
    "country": "string",
}
PRODUCT = r"^(\d{5}|DCGS|PADS)"
"""Stock codes of goods. The others are postage, fees, corrections, samples, discounts and vouchers: POST, DOT, M, C2, D, S, ..."""

REPEATED = "that repeat another one in every column"


class OnlineRetail(Source):
    """Purchases of known customers: about 391,000 of 541,909 invoice lines; the notes count what is dropped.

    A cancelled invoice is dropped, but the purchase it takes back stays: the customer did choose the product, and to remove it
    would carry a later event into the past. Lines that repeat a product on its invoice at another price or quantity stay.

    The set has no tables of customers and products. Each is described by its first kept line: a customer by the country, a
    product by the description and price it had when it was first sold (`price`). So nothing that happened later describes a
    product during training, as a most frequent description or a median price would.

    Source: Chen, Online Retail, UCI Machine Learning Repository, 2015. CC BY 4.0.

    Args:
        root: folder of transactions.parquet or transactions.csv with the columns of COLUMNS.
    """

    def __init__(self, root: Path | None):
        self.root = root

    def tables(self) -> Tables:
        """Purchases, customers and products; a DataError names a missing file or column."""
        root = folder(self.root, "transactions.parquet or transactions.csv")
        as_csv = (root / "transactions.csv").exists() and not (root / "transactions.parquet").exists()
        files, missing = find_files(root / f"transactions.{'csv' if as_csv else 'parquet'}", "data.root")
        if missing:
            raise DataError(*missing)
        lines = scan(files[0], Reading(types=COLUMNS))
        columns = column_types(lines, files[0]).names()
        absent = [column for column in COLUMNS if column not in columns]
        faults = [Fault(f"no column '{column}'{nearest(column, columns)}", str(files[0]), f"rename it to {column}") for column in absent]
        if faults:
            raise DataError(*faults)
        sales = _Sales(lines)
        dtypes = {column: TYPES[name] for column, name in COLUMNS.items()}
        interactions = pl.defer(lambda: sales.purchases, schema={**dtypes, FILE: pl.String(), ROW: pl.get_index_type()})
        interactions = interactions.select("customer_id", "stock_code", "invoice_date", "quantity", "unit_price", "invoice_no", FILE, ROW)
        return Tables(
            interactions,
            users=pl.defer(lambda: sales.customers, schema={column: dtypes[column] for column in ("customer_id", "country")}),
            items=pl.defer(lambda: sales.products, schema={"stock_code": pl.String, "description": pl.String, "price": pl.Float64}),
            files={"interactions": files},
            parts={"interactions": (interactions,)},
            notes=_Notes(sales),
        )


class _Sales:
    """The cleaned lines, kept after their first use: validation and preparation read them many times, and they are few."""

    def __init__(self, lines: pl.LazyFrame):
        self.lines = lines

    @cached_property
    def purchases(self) -> pl.DataFrame:
        kept = self.lines.filter(~pl.any_horizontal(*_reasons().values())).with_columns(pl.col("description").str.strip_chars())
        return kept.select(*COLUMNS, FILE, ROW).unique(list(COLUMNS), keep="first", maintain_order=True).collect()

    @cached_property
    def first_lines(self) -> pl.DataFrame:
        return self.purchases.sort("invoice_date", ROW)

    @cached_property
    def customers(self) -> pl.DataFrame:
        return self.first_lines.group_by("customer_id", maintain_order=True).agg(pl.col("country").first())

    @cached_property
    def products(self) -> pl.DataFrame:
        described = pl.col("description").drop_nulls().first()
        return self.first_lines.group_by("stock_code", maintain_order=True).agg(described, pl.col("unit_price").first().alias("price"))


def _reasons() -> dict[str, pl.Expr]:
    """Reasons for which a line is no purchase of a known customer; a line is counted under the first that holds.

    A missing code, date or price is no reason: validation names those lines.
    """
    reasons = {
        "of cancelled invoices": pl.col("invoice_no").str.starts_with("C"),
        "without a customer": pl.col("customer_id").is_null(),
        "with a quantity of zero or less": pl.col("quantity") <= 0,
        "with a price of zero or less": pl.col("unit_price") <= 0,
        "that are no product (postage, fees, corrections)": ~pl.col("stock_code").str.contains(PRODUCT),
    }
    return {reason: dirty.fill_null(False) for reason, dirty in reasons.items()}


class _Notes(Sequence):
    """Sentences on lines that were dropped, counted when the first one is read, since a prepared store reads none."""

    def __init__(self, sales: _Sales):
        self.sales = sales

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index):
        return self.sentences[index]

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        dropped, seen = {}, pl.lit(False)
        for reason, dirty in _reasons().items():
            dropped[reason] = (dirty & ~seen).sum()
            seen = seen | dirty
        count = self.sales.lines.select(pl.len().alias("lines"), **dropped).collect().row(0, named=True)
        kept = self.sales.purchases
        count[REPEATED] = count["lines"] - sum(count[reason] for reason in dropped) - len(kept)
        described = (kept.group_by("stock_code").agg(pl.col("description").n_unique())["description"] > 1).sum()
        return (
            *(f"dropped {count[reason]:,} of {count['lines']:,} lines {reason}" for reason in (*dropped, REPEATED) if count[reason]),
            f"kept {len(kept):,} purchases; {described:,} products have several descriptions, the first is kept",
        )
