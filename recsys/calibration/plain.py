"""Probabilities as the model gives them. B rows, N rows to fit on."""

from torch import Tensor

from recsys.calibration.base import Calibration, State


class Plain(Calibration):
    """sigmoid(logit); learns nothing. For models that are trained by plain cross-entropy and well within their data."""

    def __init__(self):
        super().__init__({})

    def forward(self, logit: Tensor) -> Tensor:
        """[B] -> [B] float32."""
        return logit.float().sigmoid()  # float32: probabilities near 0 and 1 need more than half precision

    def fitted_state(self, logit: Tensor, label: Tensor) -> State:
        """Nothing."""
        return {}
