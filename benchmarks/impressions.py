"""Random impressions as parquet, for targets that measure the speed of ranking and need no real clicks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

LABELS = ("click", "order")
FILE = "impressions.parquet"


def write_impressions(folder: Path, *, rows: int, sizes: Mapping[str, int], numbers: int = 0) -> None:
    """Write `impressions.parquet`: independent draws throughout, both labels half 1.

    Args:
        sizes: {categorical column: values}; drawn evenly from 1 to one below.
        numbers: standard normal columns, `number_0` and so on.
    """
    generator = np.random.default_rng(0)
    columns = {column: generator.integers(1, size, rows, dtype=np.int32) for column, size in sizes.items()}
    columns |= {f"number_{at}": generator.standard_normal(rows, dtype=np.float32) for at in range(numbers)}
    columns |= {label: generator.integers(0, 2, rows, dtype=np.int8) for label in LABELS}
    pl.DataFrame(columns).write_parquet(folder / FILE)


def impression_overrides(folder: Path, *, sizes: Mapping[str, int], numbers: int = 0) -> list[str]:
    """Overrides of train.py that read what `write_impressions` wrote: every column a feature of the row, two independent labels."""
    features = [f"{{_target_:recsys.schema.Categorical,column:{column},entity:context}}" for column in sizes]
    features += [f"{{_target_:recsys.schema.Numeric,column:number_{at},entity:context}}" for at in range(numbers)]
    labels = [f"{{_target_:recsys.schema.Label,column:{label}}}" for label in LABELS]
    return [
        "task=ranking",
        "data=tables",
        "data.name=impressions",
        f"data.root={folder}",
        f"data.store={folder}",
        f"data.source.interactions={FILE}",
        "data.user=null",
        "data.item=null",
        "data.time=null",
        f"data.features=[{','.join(features)}]",
        f"data.labels=[{','.join(labels)}]",
        "data.split._target_=recsys.data.split.Ratio",
    ]
