"""Exported graphs in fewer bytes."""

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import onnx
from onnx import ModelProto

from recsys.errors import ConfigError, Fault, IntegrityError, name_list
from recsys.ranges import NonNegative, Positive, Share


@dataclass(frozen=True)
class Quantization(ABC):
    """One way to write a graph's weights in fewer bits, and the limits beyond which it is refused; see `recsys.export.narrow`.

    Attributes:
        min_recall_ratio: least recall of the narrow graph, as a share of that in float32.
        max_auc_loss: of any label of the ranker.
        max_ece_loss: of any label of the ranker; how much its calibration error may grow.
        max_rmse_ratio: error of any number of the ranker that is no probability, over that in float32.
        max_p50_ratio: of the time that a single request takes, over that in float32.
        kind: as in `quantize=<kind>`.
        weights: what it narrows, in words.
        golden_tolerance: largest difference of a score or probability between two processors that both answer rightly.
    """

    min_recall_ratio: Share
    max_auc_loss: NonNegative
    max_ece_loss: NonNegative
    max_rmse_ratio: Positive
    max_p50_ratio: Positive
    kind: ClassVar[str]
    weights: ClassVar[str]
    golden_tolerance: ClassVar[float] = 1e-4

    @abstractmethod
    def narrowed(self, model: ModelProto) -> ModelProto | None:
        """A graph of the same inputs and outputs with narrow weights; None where there is none to narrow.

        Args:
            model: float32 throughout; left as it is.
        Raises:
            IntegrityError: a weight has no such narrow form.
        """

    def apply(self, model: ModelProto) -> ModelProto | None:
        """The narrow graph, checked, with the metadata of `model`; None where there is nothing to narrow.

        Raises:
            IntegrityError: onnx.checker refuses the outcome, or a weight has no such narrow form.
        """
        narrow = self.narrowed(model)
        if narrow is None:
            return None
        del narrow.metadata_props[:]
        narrow.metadata_props.extend(model.metadata_props)
        try:
            onnx.checker.check_model(narrow, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            remedy = "choose another kind, or quantize=null"
            raise IntegrityError(Fault(f"onnx.checker refuses the quantised graph: {error}", f"quantize={self.kind}", remedy)) from error
        return narrow

    def apply_to_folder(self, source: Path, target: Path) -> list[str]:
        """Narrow copies of all graphs (*.onnx) of a folder; one that has nothing to narrow is copied as it is.

        Returns:
            Names of the graphs that were narrowed; at least one.
        Raises:
            ConfigError: none has anything to narrow.
            IntegrityError: as in `apply`.
        """
        changed = []
        for path in sorted(source.glob("*.onnx")):
            narrow = self.apply(onnx.load(path))
            if narrow is None:
                shutil.copyfile(path, target / path.name)
            else:
                onnx.save(narrow, target / path.name)
                changed.append(path.name)
        if not changed:
            graphs = name_list(sorted(path.name for path in source.glob("*.onnx")))
            what, remedy = f"nothing to quantise: {graphs} hold no {self.weights}", "choose another kind, or quantize=null"
            raise ConfigError(Fault(what, f"quantize={self.kind}", remedy))
        return changed
