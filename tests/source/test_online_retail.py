"""Online Retail and its dirt."""

from datetime import datetime

import polars as pl
import pytest

from recsys.errors import DataError
from recsys.source.base import ROW
from recsys.source.online_retail import OnlineRetail

COLUMNS = ("invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price", "customer_id", "country")
DAY_1, DAY_2, DAY_3 = datetime(2011, 1, 1, 8, 30), datetime(2011, 1, 2), datetime(2011, 1, 3)
LINES = [
    ("5002", "85123A", "HEART HOLDER", 1, DAY_2, 3.0, 7, "France"),  # 0: kept
    ("5001", "85123A", " WHITE HEART ", 6, DAY_1, 2.5, 7, "Norway"),  # 1: kept; the first sale of 85123A and the first of customer 7
    ("5001", "85123A", " WHITE HEART ", 6, DAY_1, 2.5, 7, "Norway"),  # 2: repeats line 1
    ("C5003", "85123A", "WHITE HEART", -6, DAY_3, 2.5, 7, "Norway"),  # 3: cancelled
    ("5004", "22720", "CAKE TINS", 1, DAY_3, 5.0, None, "Norway"),  # 4: no customer
    ("5005", "22720", "damaged", -3, DAY_3, 5.0, 8, "Norway"),  # 5: quantity below zero
    ("5005", "22720", "CAKE TINS", 3, DAY_3, 0.0, 8, "Norway"),  # 6: free
    ("5005", "POST", "POSTAGE", 1, DAY_3, 18.0, 8, "Norway"),  # 7: no product
    ("5005", "BANK CHARGES", "Bank", 1, DAY_3, 15.0, 8, "Norway"),  # 8: no product
    ("C5006", "M", "Manual", -1, DAY_3, 9.0, None, "Norway"),  # 9: cancelled, and counted once
    ("5005", "22720", None, 2, DAY_3, 5.0, 8, "Norway"),  # 10: kept, without a description
]


@pytest.fixture
def lines():
    return pl.DataFrame(LINES, schema=COLUMNS, orient="row")


@pytest.fixture
def tables(tmp_path, lines):
    lines.write_parquet(tmp_path / "transactions.parquet")
    return OnlineRetail(tmp_path).tables()


def test_purchases_of_known_customers_remain(tables):
    kept = tables.interactions.select("customer_id", "stock_code", "invoice_date", "quantity", "unit_price", "invoice_no", ROW).collect()
    assert kept.rows() == [
        (7, "85123A", DAY_2, 1, 3.0, "5002", 0),
        (7, "85123A", DAY_1, 6, 2.5, "5001", 1),
        (8, "22720", DAY_3, 2, 5.0, "5005", 10),
    ]


def test_notes_count_every_line_once(tables):
    assert list(tables.notes) == [
        "dropped 2 of 11 lines of cancelled invoices",
        "dropped 1 of 11 lines without a customer",
        "dropped 1 of 11 lines with a quantity of zero or less",
        "dropped 1 of 11 lines with a price of zero or less",
        "dropped 2 of 11 lines that are no product (postage, fees, corrections)",
        "dropped 1 of 11 lines that repeat another one in every column",
        "kept 3 purchases; 1 products have several descriptions, the first is kept",
    ]


def test_products_are_described_by_their_first_sale(tables):
    assert sorted(tables.items.collect().rows()) == [("22720", None, 5.0), ("85123A", "WHITE HEART", 2.5)]


def test_customers_live_where_they_first_bought(tables):
    assert sorted(tables.users.collect().rows()) == [(7, "Norway"), (8, "Norway")]


def test_csv_gives_the_same_tables(tmp_path, lines, tables):
    folder = tmp_path / "csv"
    folder.mkdir()
    # As pandas writes it: customers are floats where some are missing.
    lines.with_columns(pl.col("customer_id").cast(pl.Float64)).write_csv(folder / "transactions.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    from_csv = OnlineRetail(folder).tables()
    columns = ["customer_id", "stock_code", "invoice_date", "quantity", "unit_price", "invoice_no"]
    assert from_csv.interactions.select(columns).collect().equals(tables.interactions.select(columns).collect())
    assert from_csv.items.collect().equals(tables.items.collect())
    assert list(from_csv.notes) == list(tables.notes)


def test_missing_values_are_left_to_validation(tmp_path, lines):
    broken = lines.with_columns(stock_code=pl.when(pl.col("invoice_no") == "5002").then(None).otherwise("stock_code"))
    broken.write_parquet(tmp_path / "transactions.parquet")
    kept = OnlineRetail(tmp_path).tables().interactions
    assert kept.filter(pl.col("stock_code").is_null()).select(ROW).collect().rows() == [(0,)]


def test_missing_columns_are_all_named(tmp_path, lines):
    lines.rename({"stock_code": "StockCode", "country": "Land"}).write_parquet(tmp_path / "transactions.parquet")
    with pytest.raises(DataError) as caught:
        OnlineRetail(tmp_path).tables()
    assert [fault.what for fault in caught.value.faults] == ["no column 'stock_code'; did you mean 'StockCode'?", "no column 'country'"]


def test_cut_off_file_is_named(tmp_path):
    (tmp_path / "transactions.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(DataError, match=r"the file cannot be read(.|\n)*transactions.parquet"):
        OnlineRetail(tmp_path).tables()
