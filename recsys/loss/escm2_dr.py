"""Entire-space counterfactual model, doubly robust: an imputed error for every row, corrected on clicked ones. B rows."""

import torch.nn.functional as F
from torch import Tensor

from recsys.loss.base import weighted_mean
from recsys.loss.funnel import RankingLoss, none_missing
from recsys.ranges import NonNegative, Positive, PositiveShare, require_ranges
from recsys.schema import Label


class ESCM2DR(RankingLoss):
    """mean over all rows of i + c (e - i) / propensity + c (e - i)^2 / propensity, + ctcvr_weight * the loss of `esmm`.

    c is 1 on clicked rows and 0 on others, e the cross-entropy of conversion given click, i = softplus(head "<label>/imputation") its
    guess from features alone, the propensity P(all ancestors) as predicted by their own logits. The first two terms estimate the mean
    of e over all rows, had all been clicked, if either the propensities or the imputed errors are right, with less variance than
    `escm2_ipw`; the third trains the imputation. Wang et al., SIGIR 2022; their w_c and w_g as in `escm2_ipw`.

    Detached are the propensities, and e in the third term, where it is what the imputation should be: it must not move towards its
    guess. As in the paper, i is not detached in the first two: without it their gradient would be that of inverse propensities alone.

    A mean, not self-normalised, over rows where no label of the chain is missing: i needs the unclicked ones, so conversion must be 0
    there, not missing. May be below 0 in a batch, since e may be less than i. Other labels learn as in `clicked`.

    Args:
        focal_gamma, positive_weight, labels: see `recsys.loss.funnel.RankingLoss`.
        ctcvr_weight: weight of the entire-space loss; 0 = none.
        min_propensity: smaller propensities count as this one. Less variance, more reliance on the imputation.
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
        require_ranges(ESCM2DR, locals())
        super().__init__(focal_gamma, positive_weight, labels=labels)
        self.ctcvr_weight = ctcvr_weight
        self.min_propensity = min_propensity

    @property
    def extra_heads(self) -> tuple[str, ...]:
        """One "<label>/imputation" for each binary label that is given another."""
        return tuple(f"{column}/imputation" for column in self.conditional)

    def conditional_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar, see the class."""
        losses, clicked = self.observed_losses(label, logits, labels)
        propensity, _ = self.propensity(label, logits)
        share = clicked / propensity.clamp_min(self.min_propensity)  # [B], mean 1 if propensities are right
        imputed = F.softplus(logits[f"{label.column}/imputation"])
        rows = imputed + share * (losses - imputed) + share * (losses.detach() - imputed).square()
        risk = weighted_mean(rows, weight * none_missing(labels, self.chains[label.column]))
        return risk + self.ctcvr_weight * self.entire_space_loss(label, logits, labels=labels, weight=weight)
