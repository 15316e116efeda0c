"""Preparing a simulated shop: raw parquet tables to a store, beside one reading of the same files; and opening the store."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from benchmarks.base import composed, options, show
from benchmarks.memory import memory
from recsys.config import DataConfig, build
from recsys.data.store import Store
from recsys.data.store.prepare import store_of
from recsys.disk.sums import CHECKED

PER_USER, PER_ITEM = 167, 333
"""Impressions: those of the default shop."""


def main(arguments: list[str]) -> None:
    """Simulate, read, prepare; the table."""
    parser = options("prepare", __doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="impressions (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="keeps the simulated shop for another time (default: nothing is kept)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as scratch:
        sizes = {
            "num_impressions": chosen.rows,
            "num_users": max(10, chosen.rows // PER_USER),
            "num_items": max(300, chosen.rows // PER_ITEM),
            "folder": chosen.folder or scratch,
        }
        data = composed(*(f"data.source.{key}={value}" for key, value in sizes.items()), f"data.store={scratch}").data
        started = time.perf_counter()
        files = [file for table in build(data.source).tables().files.values() for file in table]
        simulated_s = time.perf_counter() - started
        started = time.perf_counter()
        for file in files:
            pl.read_parquet(file)
        read_s = time.perf_counter() - started
        # a process of its own: the peak is that of preparing alone
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            prepared_s, peak, store = process.submit(prepared, data).result()
        size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
        (store / CHECKED).unlink()
        hashed_s, opened_s = opening(store), opening(store)
    rows = [
        ("simulated (not counted)", f"{simulated_s:.1f} s", f"{chosen.rows / simulated_s:,.0f}", ""),
        ("read once with Polars", f"{read_s:.2f} s", f"{chosen.rows / read_s:,.0f}", ""),
        ("prepared", f"{prepared_s:.1f} s", f"{chosen.rows / prepared_s:,.0f}", f"{peak / 2**30:.2f} GiB"),
        ("prepared / read", f"{prepared_s / read_s:.1f}", "", ""),
        (f"opened, {size / 1e9:.2f} GB hashed", f"{hashed_s:.2f} s", f"{chosen.rows / hashed_s:,.0f}", ""),
        ("opened again, no file touched", f"{opened_s:.3f} s", "", ""),
    ]
    goal = "Goal: 20,000,000 rows in at most 90 s and 4 GiB on 2 cores."
    show(f"Preparing {chosen.rows:,} impressions of the shop", ("", "time", "rows/s", "peak memory"), rows, (goal,))


def prepared(data: DataConfig) -> tuple[float, int, Path]:
    """Seconds, peak bytes of this process, and folder of the store."""
    started = time.perf_counter()
    store = store_of(data, build(data.source))
    return time.perf_counter() - started, memory("VmHWM"), store.path


def opening(store: Path) -> float:
    """Seconds to open a store, whose files are hashed where they were touched since they were last checked."""
    started = time.perf_counter()
    Store.open(store)
    return time.perf_counter() - started
