"""A new bundle and the one in production, asked the same of the same test users. U users, N rows, M metrics, S resamples.

Both are asked as a server would ask them, with raw columns. Users are drawn again with replacement, the same ones for both, so that a
loss which fewer or other users would not have shown passes, and one that they would have shown does not.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import torch

from recsys.errors import ConfigError, Fault
from recsys.export.gates import Gate
from recsys.export.golden import columns
from recsys.export.production import Production, opening
from recsys.export.questions import RowQuestions, UserQuestions, targets
from recsys.metric.impressions import Impressions, impressions
from recsys.metric.paired import Compared, Sample, compared, drawn_again
from recsys.schema import Schema
from recsys.serve import Ranker, Retriever

K = 20
RESAMPLES = {"retrieval": 2_000, "ranking": 400}
ROWS_PER_CALL = 4_096


def production_gates(new: Path, old: Production, schema: Schema, users: UserQuestions | None, rows: RowQuestions | None) -> list[Gate]:
    """What both bundles can do, compared; a gate that is not passed where the new one lacks something.

    Both are asked with the values of the source (see `recsys.export.release`): what one knows and the other does not, such as a rare
    value or an older entry of a history, is to each what it would be in production.

    Args:
        schema: of the new bundle and of the questions.
        users, rows: what to ask; None where the new bundle has no such part.
    Raises:
        ConfigError: the other does not open, or cannot read the questions.
    """
    name = f"bundle {old.manifest['sha256'][:12]}"
    samples, gates = [], []
    for part, questions, compare in ((Retriever, users, _lists), (Ranker, rows, _predictions)):
        if f"{part.__name__.lower()}.onnx" not in old.manifest["files"]:
            continue  # nothing to lose
        with opening(old.folder):
            theirs = part(old.folder)
        if questions is None:
            gates.append(_lost(name, f"a {part.__name__.lower()} is missing"))
            continue
        mine = part(new)
        absent = [label for label in getattr(theirs, "labels", ()) if label not in mine.labels]
        gates += [_lost(name, f"it predicts no '{label}'") for label in absent]
        found = compare(mine, theirs, schema, questions, old.folder)
        gates += [] if found else [_lost(name, "nothing can be compared: no label has both classes in the test data of both")]
        samples += found
    return [*gates, *(gate(one, name) for one in compared(samples))]


def _lost(name: str, what: str) -> Gate:
    remedy = "export both tasks with the same labels: python export.py run=<retrieval run> ranker=<ranking run>"
    return Gate("production", False, f"all that {name} has", what, remedy)


def gate(one: Compared, production: str) -> Gate:
    """Passed unless the whole interval of the difference from the bundle of this name lies below zero, and of enough users to tell."""
    few = f"; {one.units} users or rows are too few to tell" if one.few else ""
    found = f"{one.metric} {_range(one.new)} against {_range(one.old)}: {_range(one.difference, sign='+')}{few}"
    remedy = "find out what the new model lost; without against= it would be published nevertheless"
    limit = f"no significant loss of {one.metric}, as served, against {production}"
    return Gate("production", one.sign >= 0, limit, found, remedy)


def _lists(new: Retriever, old: Retriever, schema: Schema, asked: UserQuestions, production: Path) -> list[Sample]:
    both = [_listed_values(retriever, schema, asked, production) for retriever in (new, old)]  # [U, 2] each
    measures = {f"{metric}@{K}": _mean_of(both[1][:, place], both[0][:, place]) for place, metric in enumerate(("recall", "ndcg"))}
    return drawn_again(measures, len(asked.relevant), RESAMPLES["retrieval"], bearing=len(asked.relevant))


def _mean_of(old: np.ndarray, new: np.ndarray) -> Callable[[np.ndarray], tuple[float, float]]:
    return lambda copies: (float(copies @ old) / len(old), float(copies @ new) / len(new))


def _listed_values(retriever: Retriever, schema: Schema, asked: UserQuestions, production: Path) -> np.ndarray:
    """[U, 2] recall and NDCG of each user's list."""
    rows = _read(columns(asked.raw, schema), retriever.fields)
    with _asking(production):
        answers = retriever.recommend(rows, k=K, exclude=asked.exclude)
    gain = 1 / np.log2(np.arange(2, K + 2))
    values = []
    for answer, relevant in zip(answers, asked.relevant):
        wanted = set(relevant)
        hits = np.array([item in wanted for item in answer.items], bool)
        values.append((hits.sum() / len(wanted), gain[: len(hits)][hits].sum() / gain[: len(wanted)].sum()))
    return np.array(values)


def _predictions(new: Ranker, old: Ranker, schema: Schema, asked: RowQuestions, production: Path) -> list[Sample]:
    both = [_predicted(ranker, schema, asked, production) for ranker in (old, new)]
    found = []
    for name, (label, rows) in targets(schema, asked.labels).items():
        if all(name in each for each in both) and label[rows].unique().numel() == 2:
            units = asked.user[rows] if asked.user is not None else None
            measured = [impressions(each[name][rows], label[rows], user=units, session=None, ks=[]) for each in both]
            bearing = measured[0].num_bearing()
            found += drawn_again({f"{name}/auc": _auc_of(*measured)}, measured[0].num_units, RESAMPLES["ranking"], bearing=bearing)
    return found


def _auc_of(old: Impressions, new: Impressions) -> Callable[[np.ndarray], tuple[float, float]]:
    return lambda copies: (old.ordered.tally(copies[old.unit]).auc(), new.ordered.tally(copies[new.unit]).auc())


def _predicted(ranker: Ranker, schema: Schema, asked: RowQuestions, production: Path) -> dict[str, torch.Tensor]:
    """{output: [N] float64}."""
    rows = _read(columns(asked.raw, schema), {**ranker.user_fields, **ranker.row_fields})
    parts = []
    for start in range(0, len(asked), ROWS_PER_CALL):
        with _asking(production):
            parts.append(ranker.predict({column: values[start : start + ROWS_PER_CALL] for column, values in rows.items()}))
    return {label: torch.tensor([value for part in parts for value in part[label]], dtype=torch.float64) for label in ranker.labels}


def _read(rows: Mapping[str, pl.Series], fields: Collection[str]) -> dict[str, list]:
    """The columns that a bundle reads."""
    return {column: rows[column].to_list() for column in fields}


@contextmanager
def _asking(production: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # a column of the same name that holds something else
        remedy = "compare with a bundle of the same raw columns"
        raise ConfigError(Fault(f"it cannot read this run's test data: {error}", f"against={production}", remedy)) from error


def _range(value: tuple[float, float, float], sign: str = "") -> str:
    return f"{value[0]:{sign}.4f} ({value[1]:{sign}.4f} to {value[2]:{sign}.4f})"
