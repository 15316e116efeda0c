"""Entire-space counterfactual model with inverse propensities: clicked rows stand for unclicked ones. B rows."""

from torch import Tensor

from recsys.loss.base import weighted_mean
from recsys.loss.funnel import RankingLoss
from recsys.ranges import NonNegative, Positive, PositiveShare, require_ranges
from recsys.schema import Label


class ESCM2IPW(RankingLoss):
    """mean of e over clicked rows, each counting 1 / propensity, + ctcvr_weight * the loss of `esmm`.

    e is the cross-entropy of conversion given click; the propensity is P(all ancestors), predicted by their own logits and detached.
    With true propensities the first term estimates the mean of e over all rows, had all been clicked. Wang et al., SIGIR 2022, whose sum
    L_CTR + w_c L_CVR + w_g L_CTCVR is a weight of w_c for this label's loss and ctcvr_weight = w_g / w_c.

    They divide by the number of rows; here the weights are divided by their sum (self-normalised: Swaminathan & Joachims, NeurIPS 2015).
    That stays a mean of e while the predicted click rates are still wrong by a factor and when one of them is tiny; its bias falls as
    1 / the number of clicked rows in a batch, and both agree in the limit. Other labels learn as in `clicked`.

    Args:
        focal_gamma, positive_weight, labels: see `recsys.loss.funnel.RankingLoss`.
        ctcvr_weight: weight of the entire-space loss; 0 = none.
        min_propensity: smaller propensities count as this one. Less variance, more bias: 1 gives `clicked`.
    """

    def __init__(
        self,
        focal_gamma: NonNegative,
        positive_weight: dict[str, Positive],
        *,
        ctcvr_weight: NonNegative,
        min_propensity: PositiveShare,
        labels: tuple[Label, ...],
    ):
        require_ranges(ESCM2IPW, locals())
        super().__init__(focal_gamma, positive_weight, labels=labels)
        self.ctcvr_weight = ctcvr_weight
        self.min_propensity = min_propensity

    def conditional_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar, see the class."""
        losses, clicked = self.observed_losses(label, logits, labels)
        propensity, _ = self.propensity(label, logits)
        risk = weighted_mean(losses, weight * clicked / propensity.clamp_min(self.min_propensity))
        return risk + self.ctcvr_weight * self.entire_space_loss(label, logits, labels=labels, weight=weight)
