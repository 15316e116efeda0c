"""A finished ranking run that a model learns from beside the labels, and its calibrations. B rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.batch import Batch
from recsys.calibration.base import Calibration
from recsys.config import TrainConfig, build
from recsys.config.target import component_name
from recsys.disk.records import read_record, require_type
from recsys.errors import ConfigError, Fault, name_list
from recsys.loss.base import weighted_mean
from recsys.model.base import Ranker
from recsys.ranges import Positive
from recsys.run.directory import CALIBRATION, RunDirectory
from recsys.schema import Label, Schema, misread

REMEDY = "train both on the same data config"


@dataclass(frozen=True)
class Distillation:
    """Config of a teacher.

    Attributes:
        run: directory of a finished ranking run; None = none.
        weight: of the cost towards what the teacher predicts, in each label's loss, > 0.
    """

    run: Path | None
    weight: Positive


class Teacher:
    """A model whose answers a student is compared with on every row of a batch (distillation: Hinton, Vinyals & Dean, 2015).

    A binary label costs -q log p - (1 - q) log(1 - p), q the teacher's calibrated probability and p the student's: least at p = q, and
    then the entropy of q. A regression costs its squared distance to the teacher's number. There is no temperature, which softens scores
    that are too sure of one of many classes: a calibrated probability is as soft as it should be.

    A label given another has a teacher in all rows, also where it was never observed. That makes the teacher the larger part of the
    label's loss beside the product of `esmm`, which is small where conversions are rare. The teacher reads bias columns, such as a
    position, as the student does. It is no module: checkpoints, optimizers and other processes know nothing of it.

    Args:
        model, calibrations: of the finished run.
        labels: what the student predicts, each of which the teacher predicts too.
        weight: of the cost in each label's loss, > 0.
    Raises:
        ConfigError: the weight is not a positive number.
    """

    def __init__(self, model: Ranker, calibrations: Mapping[str, Calibration], *, labels: tuple[Label, ...], weight: float):
        if not 0 < weight < float("inf"):
            remedy = "choose a positive number, such as 0.5, or task.teacher.run=null"
            raise ConfigError(Fault(f"the teacher's weight is {weight}", "task.teacher.weight", remedy))
        self.model = model.eval().requires_grad_(False)
        self.calibrations = dict(calibrations)
        self.labels = labels
        self.weight = weight

    def to(self, device: torch.device) -> None:
        """Move model and calibrations to where batches are."""
        self.model.to(device)
        for calibration in self.calibrations.values():
            calibration.to(device)

    def losses(self, outputs: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """{label: scalar}, the weighted mean cost over all rows, 0 where no row has a weight, of a student's logits and numbers [B]."""
        with torch.no_grad():
            answers = self.model(batch.features)
            answers |= {column: calibration(answers[column]) for column, calibration in self.calibrations.items()}
        losses = {}
        for label in self.labels:
            own, wanted = outputs[label.column], answers[label.column]
            binary = label.kind == "binary"
            rows = F.binary_cross_entropy_with_logits(own, wanted, reduction="none") if binary else (own - wanted).square()  # [B]
            losses[label.column] = weighted_mean(rows, batch.weight)
        return losses


def teacher_of(distillation: Distillation, config: TrainConfig, schema: Schema) -> Teacher | None:
    """Teacher of a run with this config and fitted schema; None where none is named. A ConfigError says what keeps it from teaching."""
    if distillation.run is None:
        return None
    run = RunDirectory.finished(distillation.run)
    if run.task != component_name(config.task):
        raise ConfigError(Fault(f"the teacher is a {run.task} run", str(run.path), "name the directory of a ranking run"))
    faults = list(teacher_faults(run.schema, schema))
    if run.config.data.split != config.data.split:
        what = "the teacher's run divided its data another way: it may have learnt from rows that this one is tested on"
        faults.append(Fault(what, "data.split", REMEDY))
    if faults:
        raise ConfigError(*faults)
    model, about = run.model()
    assert isinstance(model, Ranker), "the run's task is this one's"
    return Teacher(model, saved_calibrations(run, about), labels=schema.labels, weight=distillation.weight)


def teacher_faults(teacher: Schema, student: Schema) -> Iterator[Fault]:
    """Columns that the teacher cannot read from the student's batches, and labels that it does not predict; both schemas are fitted."""
    for column, why in misread(teacher, student).items():
        yield Fault(f"the teacher cannot read '{column}': {why}", f"data.features, column '{column}'", REMEDY)
    predicted = {label.column: (label.kind, label.given) for label in teacher.labels}
    for label in student.labels:
        meaning = predicted.get(label.column)
        if meaning is None:
            what = f"the teacher does not predict '{label.column}'"
        elif meaning != (label.kind, label.given):
            what = f"to the teacher '{label.column}' is another label: {meaning[0]}, given {meaning[1] or 'none'}"
        else:
            continue
        yield Fault(what, f"data.labels, column '{label.column}'", REMEDY)


def saved_calibrations(run: RunDirectory, about: Mapping[str, Any]) -> dict[str, Calibration]:
    """{binary label: its calibration} of a finished ranking run, as its test has fitted and written them.

    Args:
        about: of the weights that they are to calibrate, as from `RunDirectory.model`.
    Raises:
        ConfigError: the run has no calibrations, or none of these weights.
    """
    path = run.path / CALIBRATION
    if not run.is_tested(about):
        what = f"these weights (step {about['step']}) have no calibrations: those of the run were fitted to its best weights"
        raise ConfigError(Fault(what, str(run.path), "export the best weights, with checkpoint=best or without checkpoint="))
    if not path.exists():
        raise ConfigError(Fault(f"the run has no {path.name}", str(run.path), "train again to the end, or name another run"))
    return read_record(path, lambda document: _calibrations(run, document))


def _calibrations(run: RunDirectory, document: Any) -> dict[str, Calibration]:
    binary = [label.column for label in run.schema.labels if label.kind == "binary"]
    if sorted(require_type(document, dict, "its content")) != sorted(binary):
        raise ValueError(f"it has {name_list(list(document))}, the run's binary labels are {name_list(binary)}")
    calibrations = {}
    for label, state in document.items():
        calibrations[label] = build(run.config.task["calibration"])()
        lengths = {len(value) for value in state.values() if isinstance(value, list)}
        calibrations[label].load(state)
        if len(lengths) > 1 or not all(values.isfinite().all() for values in calibrations[label].buffers()):
            raise ValueError(f"the calibration of '{label}' is not a curve of finite numbers")
    return calibrations
