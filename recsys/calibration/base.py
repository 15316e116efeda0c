"""A label's logits to probabilities that can be taken at their word. B rows, N rows to fit on."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

State = dict[str, list[float] | float]
"""Fitted numbers by name; JSON keeps them exactly."""


class Calibration(nn.Module, ABC):
    """One label's map from logit to probability: the plain sigmoid until it is fitted. Exportable to ONNX.

    What is fitted is no part of the state dict, as its size may depend on the data: `state` and `load` carry it.

    Args:
        unfitted: the state whose map is the plain sigmoid. Each of its keys becomes a float32 buffer.

    Attributes:
        note: what the last fit has to say, in one sentence, such as why it left the plain sigmoid; None if nothing.
    """

    def __init__(self, unfitted: State):
        super().__init__()
        self.unfitted = unfitted
        self.note: str | None = None
        for name, value in unfitted.items():
            self.register_buffer(name, torch.tensor(value), persistent=False)

    @abstractmethod
    def forward(self, logit: Tensor) -> Tensor:
        """[B] -> [B] float32 in [0, 1], never falling where the logit rises."""

    @abstractmethod
    def fitted_state(self, logit: Tensor, label: Tensor) -> State:
        """The state that fits these rows best; sets `note` where there is something to say.

        Args:
            logit: [N] float64, finite, exactly representable in float32.
            label: [N] float64, 0 or 1, both present.
        """

    def fit(self, logit: Tensor, label: Tensor) -> None:
        """Fit anew, forgetting earlier fits. With labels of one kind only it becomes the plain sigmoid, and `note` says so.

        Args:
            logit: [N] float, finite.
            label: [N] float, 0 or 1.

        Raises:
            ValueError: the rows cannot be fitted.
        """
        _check(logit, label)
        self.note = None
        self.load(self.unfitted)
        kinds = label.unique().tolist()
        if len(kinds) < 2:
            reason = f"all {len(label)} labels are {kinds[0]:.0f}" if kinds else "there are no rows"
            self.note = f"left as the plain sigmoid: {reason}"
            return
        # float32 first: what is fitted is what `forward` will be given
        self.load(self.fitted_state(logit.detach().float().double().cpu(), label.detach().double().cpu()))

    def state(self) -> State:
        """What was fitted, for `load`."""
        return {name: buffer.tolist() for name, buffer in self.named_buffers()}

    def load(self, state: State) -> None:
        """Take over what `state` gave.

        Raises:
            ValueError: it is the state of another kind of calibration.
        """
        if state.keys() != self.unfitted.keys():
            raise ValueError(
                f"{type(self).__name__} holds {sorted(self.unfitted)}, got {sorted(state)}; load a state into the calibration that gave it"
            )
        for name, value in state.items():
            device = self.get_buffer(name).device
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32, device=device), persistent=False)


def _check(logit: Tensor, label: Tensor) -> None:
    if logit.dim() != 1 or logit.shape != label.shape:
        raise ValueError(f"logit and label need the same shape [N], got {list(logit.shape)} and {list(label.shape)}")
    infinite = ~logit.isfinite()
    if infinite.any():
        raise ValueError(f"{infinite.sum()} of {len(logit)} logits are not finite; calibrate a model that predicts finite numbers")
    strange = (label != 0) & (label != 1)
    if strange.any():
        raise ValueError(f"{strange.sum()} of {len(label)} labels are neither 0 nor 1, such as {label[strange][0]}; leave out missing ones")
