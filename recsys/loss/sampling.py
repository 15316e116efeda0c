"""What logits say of a sample in which rows without the first label are rarer than they are. B rows."""

import math

from torch import Tensor


def of_sample(logits: dict[str, Tensor], first: str, *, share: float) -> dict[str, Tensor]:
    """The logits that a loss compares with sampled rows, from those of all rows: the first label's moved by -log(share).

    Where every row with the first label is read and of those without it a share w, drawn at random, the odds of the label are

        P(1 | x, read) / P(0 | x, read) = P(1 | x) / (w P(0 | x)),  so  logit P(1 | x, read) = logit P(1 | x) - log w,

    the inverse of q = p / (p + (1 - p) / w), by which He et al. (ADKDD 2014, "Practical Lessons from Predicting Clicks on Ads at
    Facebook") mend the predictions of a model that was trained on a sample. Taken inside the loss, the model's own logit is that of all
    rows, and so is whatever is made of it: validation, calibration, an export, a teacher's advice.

    What is exact. Labels given the first one, directly or by way of others, keep their logits: they are observed where it is 1, and all
    of these rows are read. The product of `esmm` is then that of the sampled rows, to which it is compared. The propensities of
    `escm2_ipw`, `escm2_dr` and `dcmt` are those of the sample too, so what these estimate over "all rows" is a mean over the rows that
    are read, among which likely clicks are up to 1 / w times as frequent, and not over all rows of the data.

    Every loss is then least at the true probabilities, as it is without sampling. A model that cannot be right everywhere is right
    rather where the first label is likely, since such rows count more. `focal_gamma` and `positive_weight` bend probabilities as ever.

    Args:
        logits: {head: [B]}, see `RankingLoss.forward`.
        first: the one label that is given no other.
        share: w, in (0, 1]; 1 changes nothing.
    """
    return logits if share == 1 else {**logits, first: logits[first] - math.log(share)}
