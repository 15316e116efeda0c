"""Questions of a release are what the source says, not what the run's store has kept of it."""

from datetime import datetime

import polars as pl
import pytest

from benchmarks.base import composed
from recsys.config import build, save_config
from recsys.data.store.prepare import store_of
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.run.directory import RunDirectory, write_tested
from recsys.run.lineage import write_lineage
from recsys.task.ranking.export.questions import questions_of as row_questions
from recsys.task.retrieval.export.questions import questions_of as user_questions

# user, item, day of January 2024, click, device; validation starts on the 8th, test on the 11th. Item 9 and device "tv" are new there.
ROWS = [
    *[(1, 5, 1, 1, "web"), (1, 6, 2, 1, "app"), (2, 5, 3, 1, "web"), (1, 7, 4, 1, "web"), (2, 6, 7, 1, "app"), (2, 7, 7, 0, "app")],
    *[(1, 5, 8, 1, "web"), (2, 5, 9, 0, "web"), (1, 9, 11, 1, "tv"), (2, 9, 12, 1, None), (2, 7, 13, 0, "web")],
]
FEATURES = (
    "{_target_:recsys.schema.Categorical,column:user,entity:user}",
    "{_target_:recsys.schema.Categorical,column:city,entity:user,buckets:2}",
    "{_target_:recsys.schema.MultiCategorical,column:tags,entity:user,max_len:1}",
    "{_target_:recsys.schema.Numeric,column:age,entity:user}",
    "{_target_:recsys.schema.History,column:history,entity:user,of:item,max_len:2}",
    "{_target_:recsys.schema.Categorical,column:item,entity:item,min_count:2}",
    "{_target_:recsys.schema.Categorical,column:device,entity:context}",
)
MISSING = -(2**63)


@pytest.fixture
def run(tmp_path):
    """run(task) is a finished run of these rows, but for its weights."""
    root = tmp_path / "raw"
    root.mkdir()
    table = pl.DataFrame(ROWS, schema=["user", "item", "day", "click", "device"], orient="row")
    times = pl.Series("time", [datetime(2024, 1, day, 6) for day in table["day"]], dtype=pl.Datetime("us"))
    table.drop("day").with_columns(times).write_parquet(root / "clicks.parquet")
    users = {"user": [1, 2], "city": ["Köln", "Oslo"], "tags": [["x", "y", "z"], []], "age": [20.0, 30.0]}
    pl.DataFrame(users).write_parquet(root / "users.parquet")
    data = ("data=tables", "data.name=x", f"data.root={root}", "data.source.interactions=clicks.parquet", "data.source.users=users.parquet")
    data += ("data.user=user", "data.item=item", "data.time=time", f"data.features=[{','.join(FEATURES)}]", "data.positive=click")
    data += ("data.labels=[{_target_:recsys.schema.Label,column:click}]", f"data.store={tmp_path / 'store'}", "data.max_unknown_share=1")
    data += ("data.split={_target_:recsys.data.split.Temporal,val_start:'2024-01-08',test_start:'2024-01-11'}", "data.max_feature_auc=1")

    def finished(task):
        config, folder = composed(f"task={task}", *data), tmp_path / task
        folder.mkdir()
        store = store_of(config.data, build(config.data.source))
        save_config(config, folder / "config.yaml")
        store.schema.save(folder / "schema.json")
        write_lineage(folder / "lineage.json", store=store.path)
        write_tested(folder, "0" * 64)
        copy_raw_categories(store, folder)
        (folder / "metrics.json").write_text("{}")
        return RunDirectory.finished(folder)

    return finished


def test_users_are_asked_with_what_the_source_says_of_them(run):
    asked = user_questions(run("retrieval"), {})
    raw = {column: values.tolist() for column, values in asked.raw.items()}
    assert raw == {
        "user": [1, 2],
        "city": ["Köln", "Oslo"],  # the model has two buckets
        "tags": [["x", "y", "z"], ["", "", ""]],  # and reads one tag
        "age": [20.0, 30.0],
        "history": [[7, 5], [5, 6]],  # of 5 6 7 | 5, and of 5 6
    }
    assert asked.relevant == [[9], [9]]
    assert asked.items["item"].tolist() == [5, 6, 7, 9]


def test_a_history_is_as_long_as_another_bundle_reads(run):
    asked = user_questions(run("retrieval"), {"history": 4, "other": 9})
    assert asked.raw["history"].tolist() == [[5, 6, 7, 5], [5, 6, MISSING, MISSING]]


def test_rows_are_asked_with_values_that_training_never_saw(run):
    asked = row_questions(run("ranking"), {"history": 1})
    raw = {column: values.tolist() for column, values in asked.raw.items()}
    assert raw["user"] == [1, 2, 2]
    assert raw["item"] == [9, 9, 7]
    assert raw["device"] == ["tv", "", "web"]
    assert raw["history"] == [[7, 5], [5, 6], [6, 9]]
    assert asked.labels["click"].tolist() == [1, 1, 0]
