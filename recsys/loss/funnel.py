"""Losses over labels that may be given one another, such as conversion given click. B rows, C labels of a chain."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys.errors import ArgumentError, Fault
from recsys.loss.base import weighted_mean
from recsys.ranges import NonNegative, Positive, range_faults
from recsys.schema import Label, chains, nearest


class RankingLoss(nn.Module, ABC):
    """One loss per label from the logits of a ranker.

    A binary label costs -log q (1 - q)^focal_gamma, q the probability given to what happened: cross-entropy, and with focal_gamma > 0
    the focal loss (Lin et al., ICCV 2017, without their alpha). Rows where it is 1 count positive_weight times, in the sum but not in
    what it is divided by. A regression costs its squared error, in the label's own unit: the best prediction is then the mean, so that
    P(conversion) * spend is an expected value; absolute or Huber errors lean to the median, far below the mean of skewed spend.

    Args:
        focal_gamma: >= 0; 0 = cross-entropy, which alone leaves probabilities calibrated.
        positive_weight: {binary label: weight of its rows with label 1}; 1 where none is named.
        labels: what the model predicts.

    Attributes:
        chains: {label: columns of its funnel, from the first one down to itself}.
        conditional: binary labels that are given another.

    Raises:
        ArgumentError: focal_gamma is negative, or a weight is not positive or of no binary label.
    """

    def __init__(self, focal_gamma: NonNegative, positive_weight: dict[str, Positive], *, labels: tuple[Label, ...]):
        super().__init__()
        binary = [label.column for label in labels if label.kind == "binary"]
        faults = [*_faults(positive_weight, binary), *range_faults(RankingLoss, locals())]
        if faults:
            raise ArgumentError(*faults)
        self.focal_gamma = focal_gamma
        self.positive_weight = {column: positive_weight.get(column, 1.0) for column in binary}
        self.labels = labels
        given = {label.column: label.given for label in labels}
        self.chains = chains(labels)
        self.conditional = tuple(column for column in binary if given[column] is not None)

    @property
    def extra_heads(self) -> tuple[str, ...]:
        """Names of outputs that the loss needs of the model beside one per label, such as "conversion/imputation"."""
        return ()

    def forward(self, logits: dict[str, Tensor], labels: dict[str, Tensor], weight: Tensor) -> dict[str, Tensor]:
        """The loss of each label.

        Args:
            logits: {head: [B] float32}. Of a binary label the logit of P(label | given = 1), of a regression the predicted number.
            labels: {column: [B] float32}, NaN where missing.
            weight: [B] float32, 0 leaves a row out.
        Returns:
            {label: scalar float32}, a weighted mean over the rows that the label concerns; 0 with zero gradient where there are none.
            A row whose label is missing has no part in that label's loss, and every other label's loss is the same bit for bit.
        """
        losses = {}
        for label in self.labels:
            loss = self.conditional_loss if label.column in self.conditional else self.observed_loss
            losses[label.column] = loss(label, logits, labels=labels, weight=weight)
        return losses

    @abstractmethod
    def conditional_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar loss of one of `conditional`; arguments as of `forward`."""

    def observed_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar mean over the rows where the label is observed; see `observed_losses`."""
        losses, observed = self.observed_losses(label, logits, labels)
        return weighted_mean(losses, weight * observed)

    def entire_space_loss(self, label: Label, logits: dict[str, Tensor], *, labels: dict[str, Tensor], weight: Tensor) -> Tensor:
        """Scalar mean loss of P(all of the label's chain) over the rows where none of the chain is missing (Ma et al., SIGIR 2018).

        Where nothing was clicked there was no conversion, and the label has to say so: a row that says missing instead is left out.
        """
        chain = self.chains[label.column]
        log_p, log_not_p = log_product([logits[column] for column in chain])
        target = torch.stack([zero_where_missing(labels[column]) for column in chain]).prod(0)  # [B]
        return weighted_mean(self.cross_entropy(label, log_p, log_not_p, target=target), weight * none_missing(labels, chain))

    def observed_losses(self, label: Label, logits: dict[str, Tensor], labels: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Loss of each row, and where it is one: the label is not missing, and the label it is given is 1.

        Returns:
            [B] float32, any finite number where unobserved; [B] bool.
        """
        predicted, target = logits[label.column], labels[label.column]
        observed = ~target.isnan()
        if label.given is not None:
            observed = observed & (labels[label.given] == 1)
        if label.kind == "regression":
            return torch.where(observed, predicted - zero_where_missing(target), 0.0).square(), observed
        return self.cross_entropy(label, F.logsigmoid(predicted), F.logsigmoid(-predicted), target=zero_where_missing(target)), observed

    def cross_entropy(self, label: Label, log_p: Tensor, log_not_p: Tensor, *, target: Tensor) -> Tensor:
        """[B] focal cross-entropy of each row from log p, log(1 - p) and its target, all [B]; 1 counts by the label's weight."""
        return focal(log_p, log_not_p, target, gamma=self.focal_gamma, positive_weight=self.positive_weight[label.column])

    def propensity(self, label: Label, logits: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Predicted probability that a label is observed, P(all of its ancestors), and that it is not: [B] each, detached.

        Detached: a loss could else be lowered by predicting more clicks where conversions are hard to tell.
        """
        log_p, log_not_p = log_product([logits[column].detach() for column in self.chains[label.column][:-1]])
        return log_p.exp(), log_not_p.exp()


def focal(log_p: Tensor, log_not_p: Tensor, target: Tensor, *, gamma: float, positive_weight: float) -> Tensor:
    """[B] -positive_weight (1 - p)^gamma log p where the target is 1, -p^gamma log(1 - p) where it is 0; all [B]."""
    positive = -positive_weight * (gamma * log_not_p).exp() * log_p
    negative = -(gamma * log_p).exp() * log_not_p
    return target * positive + (1 - target) * negative


def log_product(logits: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """log p and log(1 - p) of p = sigmoid(a_1) ... sigmoid(a_C), each [B], to full relative precision and with finite gradients.

    1 - p is a sum over c, the first event that fails, of sigmoid(a_1) ... sigmoid(a_c-1) sigmoid(-a_c): positive terms, added in logs.
    Where p is small this sum is nearly 1 and its logarithm would be lost in rounding; there it is log1p(-p).

    Args:
        logits: C of [B].
    """
    stacked = torch.stack(tuple(logits))  # [C, B]
    log_until = F.logsigmoid(stacked).cumsum(0)
    log_p = log_until[-1]
    before = torch.cat([torch.zeros_like(log_until[:1]), log_until[:-1]])
    by_first_failure = (before + F.logsigmoid(-stacked)).logsumexp(0)  # [B]
    by_complement = torch.log1p(-log_p.clamp_max(math.log(0.5)).exp())  # clamped: its gradient is infinite at p = 1, even if not chosen
    return log_p, torch.where(log_p > math.log(0.5), by_first_failure, by_complement)


def none_missing(labels: Mapping[str, Tensor], columns: Iterable[str]) -> Tensor:
    """[B] bool: none of these labels is missing."""
    return ~torch.stack([labels[column].isnan() for column in columns]).any(0)


def zero_where_missing(label: Tensor) -> Tensor:
    """[B] with 0 where missing, before any arithmetic: NaN times 0 is NaN, in values and in gradients."""
    return label.masked_fill(label.isnan(), 0.0)


def _faults(positive_weight: Mapping[str, float], binary: list[str]) -> Iterator[Fault]:
    for column in positive_weight:
        if column not in binary:
            what = f"positive_weight names '{column}', which is no binary label{nearest(column, binary)}"
            yield Fault(what, f"positive_weight.{column}", f"use one of {binary}")
