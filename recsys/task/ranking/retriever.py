"""The finished retrieval run that a ranking run is measured behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

from recsys.config import TrainConfig
from recsys.config.target import component_name
from recsys.data.read.oracle import oracles_of_candidates
from recsys.data.store import Store
from recsys.errors import ConfigError, Fault, listed
from recsys.run.directory import RunDirectory
from recsys.schema import Schema, chains
from recsys.schema.match import differences
from recsys.source.base import Source
from recsys.task.ranking.pair import Pair

KEY = "task.retriever"


def pair_of(retriever: Path | None, pair: Callable[..., Pair], config: TrainConfig, *, store: Store, source: Source) -> Pair | None:
    """What measures a ranker behind a retriever; None where no retriever is named.

    Args:
        retriever: directory of a finished retrieval run.
        pair: builds the measure, given what only a run knows.
        config: of the ranking run.
    Raises:
        ConfigError: why that run's model cannot retrieve for this one.
    """
    if retriever is None:
        return None
    run, schema = RunDirectory.finished(retriever), store.schema
    if faults := list(_faults(run, config, schema)):
        raise ConfigError(*faults)
    assert schema.positive is not None, "a ranker has labels"
    labels = chains(schema.labels)[schema.positive]
    model, _ = run.model()
    exclude_known = run.config.task["evaluation"]["exclude_known"]
    return pair(retriever=model, exclude_known=exclude_known, labels=labels, truths=oracles_of_candidates(source, store, labels))


def _faults(run: RunDirectory, config: TrainConfig, schema: Schema) -> Iterator[Fault]:
    """Why a run's model cannot retrieve for this one."""
    if run.task == component_name(config.task):
        yield Fault("the run trained a ranker", f"{KEY}={run.path}", "name a retrieval run; python train.py makes one")
        return
    columns = differences(run.schema, schema) + (["data.split"] if run.config.data.split != config.data.split else [])
    if columns:
        what = f"the retriever was trained on other data, which differ in {listed(columns)}"
        yield Fault(what, f"{KEY}={run.path}", "train one of the two again, with the same data options as the other")
    if schema.positive not in [label.column for label in schema.labels if label.kind == "binary"]:
        what = f"no 0/1 label says what a candidate is worth: data.positive is {schema.positive or 'null'}"
        yield Fault(what, "data.positive", "name the label that makes a row positive, such as click, in both runs")
