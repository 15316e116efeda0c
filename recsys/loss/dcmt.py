"""Direct entire-space causal multi-task loss: a second head learns the conversion rate of what was not clicked. B rows."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys.loss.base import weighted_mean
from recsys.loss.funnel import RankingLoss, focal, none_missing, zero_where_missing
from recsys.ranges import NonNegative, Positive, PositiveShare, require_ranges
from recsys.schema import Label


class DCMT(RankingLoss):
    """factual + counterfactual + regulariser * mean over all rows of |1 - (p + p')|, + ctcvr_weight * the loss of `esmm`.

    p is P(conversion | click). p' = sigmoid(head "<label>/counterfactual") is its mirror image: 1 - the conversion rate that unclicked
    rows tell, all of which are taken for unconverted. Zhu et al., ICDE 2023; their w_cvr is a weight of this label's whole loss.

      factual: mean over clicked rows of the cross-entropy of p, each row counting 1 / propensity.
      counterfactual: mean over unclicked rows of the cross-entropy of p' with target 1 - label, which is 1 on all of them, each row
        counting 1 / (1 - propensity).

    Both are self-normalised, divided by the sum of their own weights. The propensity is P(all ancestors) as predicted by their own
    logits, detached. The last mean alone ties the two heads, and trains both: it pulls p down where p' is sure, which trades the
    unbiasedness of the factual term for less variance.

    Clicked means that the given label is 1. Unclicked means that it is 0; these and "all rows" are rows where no label of the chain is
    missing, so conversion must be 0 where nothing was clicked. Other labels learn as in `clicked`.

    Args:
        focal_gamma, positive_weight, labels: see `recsys.loss.funnel.RankingLoss`. The counterfactual term has no positives to weigh.
        regulariser: weight of |1 - (p + p')|; 0 = `escm2_ipw` beside a head of no use.
        ctcvr_weight: weight of the entire-space loss; 0 = none.
        min_propensity: smaller propensities, and smaller 1 - propensity, count as this one.
    """

    def __init__(
        self,
        focal_gamma: NonNegative,
        positive_weight: dict[str, Positive],
        *,
        regulariser: NonNegative,
        ctcvr_weight: NonNegative,
        min_propensity: PositiveShare,
        labels: tuple[Label, ...],
    ):
        require_ranges(DCMT, locals())
        super().__init__(focal_gamma, positive_weight, labels=labels)
        self.regulariser = regulariser
        self.ctcvr_weight = ctcvr_weight
        self.min_propensity = min_propensity

    @property
    def extra_heads(self) -> tuple[str, ...]:
        """One "<label>/counterfactual" for each binary label that is given another."""
        return tuple(f"{column}/counterfactual" for column in self.conditional)

    def conditional_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar, see the class."""
        losses, clicked = self.observed_losses(label, logits, labels)
        propensity, opposite = self.propensity(label, logits)
        factual = weighted_mean(losses, weight * clicked / propensity.clamp_min(self.min_propensity))

        logit, mirrored = logits[label.column], logits[f"{label.column}/counterfactual"]
        rows = weight * none_missing(labels, self.chains[label.column])
        unclicked = rows * (labels[self.chains[label.column][-2]] == 0)
        target = 1 - zero_where_missing(labels[label.column])
        errors = focal(F.logsigmoid(mirrored), F.logsigmoid(-mirrored), target, gamma=self.focal_gamma, positive_weight=1.0)
        counterfactual = weighted_mean(errors, unclicked / opposite.clamp_min(self.min_propensity))

        gap = weighted_mean((torch.sigmoid(-logit) - torch.sigmoid(mirrored)).abs(), rows)  # |1 - p - p'|, without rounding 1 - p
        product = self.entire_space_loss(label, logits, labels=labels, weight=weight)
        return factual + counterfactual + self.regulariser * gap + self.ctcvr_weight * product
