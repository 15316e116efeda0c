"""Export facet of ranking (see `recsys.export.section`): a ranker in a bundle, compared with its model. N rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from recsys.config.target import component_name
from recsys.data.read.impressions import EvaluationImpressions
from recsys.errors import Fault, ReleaseError
from recsys.export.golden import columns
from recsys.export.graph import REMEDY, save_graph, session
from recsys.export.requests import Requests, requests, single
from recsys.model.base import Ranker
from recsys.report.markdown import code
from recsys.run.directory import RunDirectory
from recsys.schema import Schema, chains
from recsys.serve.golden import difference
from recsys.task.ranking.export.graph import Served, export_ranker
from recsys.task.ranking.export.questions import questions_of
from recsys.task.ranking.teacher import saved_calibrations

__all__ = ["questions_of"]
GRAPH = "ranker.onnx"
PLACE = "ranker"
COLUMNS = ("user", "item", "context", "bias")
ASKED = ("user", "item", "context")
PARITY = "ranker_parity"
SEARCHES = False
BATCH_SIZES = (1, 7, 1024)
PARITY_ROWS = 2_048
"""Rows at most that are compared with the model."""
ROWS = 1_000
"""Golden requests."""
CANDIDATES = 200
"""Rows of the call that has one user for all of them."""
TOLERANCE = 1e-6
"""Largest difference of a probability; of a number in units of its magnitude or of its deviation in training, where these are above 1."""


@dataclass(frozen=True)
class RankingSection:
    """ranker.onnx.

    Attributes:
        model: in evaluation mode, on the CPU.
        calibrations: {binary label: map from logit to probability}, fitted.
        features: {column: [N] or [N, L]} of real rows to compare on; bias columns are not read.
        seed: of the unknown and missing values among the compared rows.
    """

    task = "ranking"
    model: Ranker
    calibrations: Mapping[str, nn.Module]
    features: Mapping[str, Tensor]
    seed: int = 0

    def write(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series], facts: Mapping[str, str]) -> dict:
        """Write the file and compare it with the model; see `recsys.export.section.Section`."""
        served = Served(self.model, self.calibrations, schema).eval()
        graph = export_ranker(served, schema, vocabularies)
        save_graph(folder / "ranker.onnx", graph, facts)
        rows = {column: values[:PARITY_ROWS] for column, values in self.features.items()}
        sample = requests(rows, served.features, schema, vocabularies, np.random.default_rng(self.seed))
        users = [feature.column for feature in schema.of("user")]
        return {"labels": list(served.outputs), "ranker_parity": compare(folder / "ranker.onnx", served, sample, users)}

    def golden(self, folder: Path, schema: Schema, vocabularies: Mapping[str, pl.Series]) -> pl.DataFrame:
        """Rows and what is predicted of them; see `recsys.export.section.Section`."""
        served = Served(self.model, self.calibrations, schema)
        some = {column: values[:ROWS] for column, values in self.features.items()}
        sample = requests(some, served.features, schema, vocabularies, np.random.default_rng(self.seed))
        run = session(folder / "ranker.onnx").run
        predicted = zip(*(run(list(served.outputs), single(sample.raw, row)) for row in range(len(sample))))
        answers = {f"answer/{name}": pl.Series(np.concatenate(parts)) for name, parts in zip(served.outputs, predicted)}
        return pl.DataFrame({"task": ["ranking"] * len(sample), **columns(sample.raw, schema), **answers})


def section_of(run: RunDirectory, model: Ranker, about: dict, k: int) -> RankingSection:
    """Section of a finished run's model, compared on its test's impressions; see `recsys.export.section`."""
    impressions = EvaluationImpressions(run.store, "test")
    features = impressions.batch(torch.arange(min(len(impressions), PARITY_ROWS))).features
    return RankingSection(model, saved_calibrations(run, about), features, run.config.seed)


def compare(path: Path, served: Served, sample: Requests, users: list[str]) -> dict:
    """Compare the graph with the model on every row, in every batch size, and with one user's columns `users` for many rows.

    Returns:
        For the manifest: "rows" compared in each of "batch_sizes", and then in one call of up to 200 rows with the columns of one user;
        "max_difference", the largest |onnx - torch| in the units of `TOLERANCE`.
    Raises:
        ReleaseError: names the worst row.
    """
    graph = session(path)
    want = _answers(served, sample.index)
    largest = 0.0
    for size in BATCH_SIZES:
        parts = [np.stack(graph.run(list(served.outputs), sample.rows(start, start + size))) for start in range(0, len(sample), size)]
        largest = max(largest, _difference(np.concatenate(parts, axis=1), want, served, sample, f"batches of {size}"))
    shared = slice(0, min(CANDIDATES, len(sample)))
    one_user = {column: values[:1] if column in users else values[shared] for column, values in sample.raw.items()}
    index = {column: values[:1].expand_as(values[shared]) if column in users else values[shared] for column, values in sample.index.items()}
    got = np.stack(graph.run(list(served.outputs), one_user))
    largest = max(largest, _difference(got, _answers(served, index), served, sample, "one user"))
    return {"rows": len(sample), "batch_sizes": BATCH_SIZES, "max_difference": largest}


def _answers(served: Served, index: Mapping[str, Tensor]) -> np.ndarray:
    """[outputs, N]."""
    with torch.inference_mode():
        return torch.stack(served(dict(index))).numpy()


def _difference(got: np.ndarray, want: np.ndarray, served: Served, sample: Requests, how: str) -> float:
    """Largest difference; a ReleaseError where it is above `TOLERANCE`."""
    distance = difference(got, want) / np.array(served.units())[:, None]
    if not (distance <= TOLERANCE).all():
        output, row = np.unravel_index(int(np.nan_to_num(distance, nan=np.inf).argmax()), distance.shape)
        what = f"ranker.onnx predicts '{served.outputs[output]}' {got[output, row]}, the model {want[output, row]} (limit {TOLERANCE})"
        raise ReleaseError("parity", Fault(what, f"row {row} in {how}: {sample.describe(int(row))}", REMEDY))
    return float(distance.max(initial=0.0))


def parity_words(figures: Mapping) -> tuple[str, str]:
    """The limit, and the difference found."""
    return "probabilities within 1e-06", f"{figures['max_difference']:.1e} over {figures['rows']:,} rows"


def card_lines(manifest: Mapping, schema: Schema, model: str) -> list[str]:
    """Lines on the labels of the ranker, and on their funnels."""
    if "labels" not in manifest:
        return []
    config = manifest.get("lineage", {}).get("config", {}).get("ranking", {}).get("task", {})
    calibration = f", calibrated by {code(component_name(config['calibration']))}" if config.get("calibration") else ""
    lines = [f"- Ranking ({code(model)}): predicts {', '.join(map(code, manifest['labels']))} of a row{calibration}."]
    for column, chain in chains(schema.labels).items():
        if len(chain) > 1:
            funnel = "_".join(chain)
            both = f", {code(funnel)} what is expected of a row before" if funnel in manifest["labels"] else ""
            lines.append(f"- {' → '.join(map(code, chain))} is a funnel: {code(column)} is what follows once {code(chain[-2])} is 1{both}.")
    return lines


def card_limits(manifest: Mapping, schema: Schema) -> Iterator[str]:
    """Columns that are not known, or may be missing, when a row is scored."""
    bias = [feature.column for feature in schema.of("bias")]
    if bias and "labels" in manifest:
        yield f"{', '.join(map(code, bias))}: known only once a row has been shown, so predictions are those of an unknown value."
    for limit in dict.fromkeys(feature.card_limit for feature in schema.features if feature.card_limit and "labels" in manifest):
        yield f"{', '.join(code(feature.column) for feature in schema.features if feature.card_limit == limit)}: {limit}"
