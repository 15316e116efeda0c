"""What every ranking loss promises, and the arithmetic they share. Rows see click, conversion given click, spend given conversion."""

import math
from decimal import Decimal, localcontext

import pytest
import torch

from recsys.errors import ConfigError
from recsys.loss.clicked import Clicked
from recsys.loss.dcmt import DCMT
from recsys.loss.escm2_dr import ESCM2DR
from recsys.loss.escm2_ipw import ESCM2IPW
from recsys.loss.esmm import ESMM
from recsys.loss.funnel import focal, log_product, none_missing
from recsys.schema import Label

NAN = float("nan")
FUNNEL = (Label("click"), Label("conversion", given="click"), Label("spend", given="conversion", kind="regression"), Label("like"))
ESCM2 = {"ctcvr_weight": 0.5, "min_propensity": 0.05}
LOSSES = {
    "clicked": Clicked(0.0, {}, labels=FUNNEL),
    "focal": Clicked(2.0, {"conversion": 3.0}, labels=FUNNEL),
    "esmm": ESMM(0.0, {}, labels=FUNNEL),
    "focal esmm": ESMM(1.5, {"conversion": 3.0}, labels=FUNNEL),
    "escm2_ipw": ESCM2IPW(0.0, {}, **ESCM2, labels=FUNNEL),
    "escm2_dr": ESCM2DR(0.0, {}, **ESCM2, labels=FUNNEL),
    "dcmt": DCMT(0.0, {}, regulariser=0.1, **ESCM2, labels=FUNNEL),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())

LABELS = {
    "click": torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]),
    "conversion": torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0]),
    "spend": torch.tensor([5.0, 0.0, 2.0, 0.0, 0.0]),
    "like": torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0]),
}
LOGITS = {
    "click": torch.tensor([0.5, -0.3, 1.2, 0.1, -2.0]),
    "conversion": torch.tensor([-1.0, 0.4, 0.2, 0.7, -0.6]),
    "spend": torch.tensor([4.0, 1.0, 3.5, 2.0, 0.0]),
    "like": torch.tensor([0.3, -0.2, 0.8, 0.0, 1.0]),
    "conversion/imputation": torch.tensor([0.2, -0.5, 0.1, 0.9, -1.0]),
    "conversion/counterfactual": torch.tensor([0.6, 0.3, -0.4, 1.1, 0.5]),
}
WEIGHT = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0])


def run(loss, logits, labels, weight):
    """{label: (its loss, {head: gradient of that loss alone})}."""
    heads = {head: values.clone().requires_grad_() for head, values in logits.items()}
    losses = loss(heads, labels, weight)
    grads = {label: torch.autograd.grad(value, heads.values(), retain_graph=True, allow_unused=True) for label, value in losses.items()}
    zeros = [torch.zeros_like(values) for values in logits.values()]
    return {
        label: (losses[label].detach(), {head: zero if grad is None else grad for head, zero, grad in zip(logits, zeros, grads[label])})
        for label in losses
    }


def without(labels, column, row):
    """The labels, one of them missing in one row."""
    return {**labels, column: labels[column].index_fill(0, torch.tensor([row]), NAN)}


@every_loss
def test_every_label_has_a_finite_float32_loss(loss):
    losses = run(loss, LOGITS, LABELS, WEIGHT)
    assert list(losses) == ["click", "conversion", "spend", "like"]
    for value, grads in losses.values():
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert value.isfinite()
        assert all(grad.isfinite().all() for grad in grads.values())


@every_loss
@pytest.mark.parametrize(("column", "row"), [("conversion", 1), ("spend", 0), ("like", 3)])
def test_missing_label_leaves_other_losses_as_they_are_bit_for_bit(loss, column, row):
    whole, missing = run(loss, LOGITS, LABELS, WEIGHT), run(loss, LOGITS, without(LABELS, column, row), WEIGHT)
    assert whole[column][0] != missing[column][0]
    for label in set(LABELS) - {column}:
        assert torch.equal(whole[label][0], missing[label][0])
        assert all(torch.equal(whole[label][1][head], missing[label][1][head]) for head in LOGITS)


@every_loss
@pytest.mark.parametrize(("column", "row"), [("click", 3), ("conversion", 1), ("conversion", 3), ("spend", 0), ("like", 3)])
def test_row_with_missing_label_has_no_part_in_its_loss(loss, column, row):
    value, grads = run(loss, LOGITS, without(LABELS, column, row), WEIGHT)[column]
    rest = [other for other in range(5) if other != row]
    alone = {name: labels[rest] for name, labels in LABELS.items()}
    expected, _ = run(loss, {head: values[rest] for head, values in LOGITS.items()}, alone, WEIGHT[rest])[column]
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert all(grad[row] == 0 for grad in grads.values())


@every_loss
def test_row_with_missing_click_has_no_part_in_the_loss_of_conversion(loss):
    _, grads = run(loss, LOGITS, without(LABELS, "click", 0), WEIGHT)["conversion"]
    assert all(grad[0] == 0 for grad in grads.values())
    assert grads["conversion"][1] != 0


@every_loss
def test_row_without_weight_has_no_part_in_any_loss(loss):
    for _, grads in run(loss, LOGITS, LABELS, torch.tensor([1.0, 0.0, 0.5, 1.0, 3.0])).values():
        assert all(grad[1] == 0 for grad in grads.values())


@every_loss
@pytest.mark.parametrize("case", ["all missing", "no weight"])
def test_batch_that_concerns_no_label_costs_nothing(loss, case):
    labels = {column: torch.full((5,), NAN) for column in LABELS} if case == "all missing" else LABELS
    weight = torch.zeros(5) if case == "no weight" else WEIGHT
    for value, grads in run(loss, LOGITS, labels, weight).values():
        assert value == 0
        assert all((grad == 0).all() for grad in grads.values())


@every_loss
def test_batch_without_click_teaches_no_spend(loss):
    nothing = {column: torch.zeros(5) for column in LABELS}
    losses = run(loss, LOGITS, nothing, WEIGHT)
    assert all(value.isfinite() and all(grad.isfinite().all() for grad in grads.values()) for value, grads in losses.values())
    assert losses["spend"][0] == 0
    assert (losses["spend"][1]["spend"] == 0).all()


@every_loss
def test_losses_stay_finite_at_extreme_logits(loss):
    signs = torch.tensor([[1.0, 1, 1, -1, -1], [1, -1, -1, 1, -1], [1, 1, -1, 1, 1]])
    for row, column in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 2)]:
        extreme = {head: 100 * signs[row] for head in LOGITS} | {"click": 100 * signs[column], "conversion/imputation": -100 * signs[row]}
        for value, grads in run(loss, extreme, LABELS, WEIGHT).values():
            assert value.isfinite()
            assert all(grad.isfinite().all() for grad in grads.values())


def test_squared_error_of_spend_by_hand():
    # rows 0 and 2 converted: (4 - 5)^2 = 1 with weight 1, (3.5 - 2)^2 = 2.25 with weight 0.5: 2.125 / 1.5
    value, grads = run(LOSSES["clicked"], LOGITS, LABELS, WEIGHT)["spend"]
    assert value.item() == pytest.approx(2.125 / 1.5)
    # 2 (4 - 5) 1 / 1.5 and 2 (3.5 - 2) 0.5 / 1.5
    assert grads["spend"].tolist() == pytest.approx([-2 / 1.5, 0, 1.5 / 1.5, 0, 0])


def test_infinite_prediction_of_an_unobserved_regression_is_left_out():
    value, grads = run(LOSSES["clicked"], LOGITS | {"spend": torch.tensor([4.0, torch.inf, 3.5, 1e30, 0.0])}, LABELS, WEIGHT)["spend"]
    assert value.item() == pytest.approx(2.125 / 1.5)
    assert grads["spend"][1] == 0


@pytest.mark.parametrize(
    ("target", "gamma", "positive_weight", "expected"),
    # p = 0.9: -log 0.9 = 0.1053605, -log 0.1 = 2.3025851
    [
        (1.0, 0.0, 1.0, 0.1053605),
        (0.0, 0.0, 1.0, 2.3025851),
        (1.0, 2.0, 1.0, 0.01 * 0.1053605),  # (1 - 0.9)^2
        (0.0, 2.0, 1.0, 0.81 * 2.3025851),  # 0.9^2
        (1.0, 2.0, 5.0, 5 * 0.01 * 0.1053605),
        (0.0, 2.0, 5.0, 0.81 * 2.3025851),
    ],
)
def test_focal_loss_by_hand(target, gamma, positive_weight, expected):
    log_p, log_not_p = torch.tensor([0.9, 0.1]).log()
    loss = focal(log_p, log_not_p, torch.tensor(target), gamma=gamma, positive_weight=positive_weight)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def exact(logits):
    """log p, log(1 - p) of a product of sigmoids, and their gradients, to 150 digits."""
    with localcontext() as context:
        context.prec = 150
        factors = [1 / (1 + Decimal(-logit).exp()) for logit in logits]
        p = math.prod(factors, start=Decimal(1))
        grads = [1 - factor for factor in factors], [-p * (1 - factor) / (1 - p) for factor in factors]
        return float(p.ln()), float((1 - p).ln()), *([float(grad) for grad in side] for side in grads)


@pytest.mark.parametrize(
    "logits",
    [
        *[(0.0,), (-100.0,), (100.0,)],
        *[(0.3, -0.8), (100.0, 100.0), (-100.0, -100.0), (100.0, -100.0), (5.0, -5.0), (-3.0, -14.0), (0.5, -20.0), (12.0, 14.0)],
        *[(0.1, 0.2, 0.3), (100.0, 100.0, 100.0), (-100.0, 100.0, -100.0), (2.0, 90.0, 1.5), (-4.0, -9.0, 3.0), (20.0, 16.0, 18.0)],
    ],
    ids=str,
)
def test_log_product_is_exact_with_its_gradients(logits):
    log_p, log_not_p, grads_p, grads_not_p = exact(logits)
    factors = [torch.tensor([logit], requires_grad=True) for logit in logits]
    found = log_product(factors)
    # below 1e-38 float32 has no full precision
    assert found[0].item() == pytest.approx(log_p, rel=2e-5, abs=1e-38)
    assert found[1].item() == pytest.approx(log_not_p, rel=2e-5, abs=1e-38)
    for value, expected in zip(found, (grads_p, grads_not_p)):
        grads = [grad.item() for grad in torch.autograd.grad(value.sum(), factors, retain_graph=True)]
        assert grads == pytest.approx(expected, rel=2e-5, abs=1e-38)


def test_known_rows_miss_no_label():
    labels = {"click": torch.tensor([1.0, NAN, 0.0]), "conversion": torch.tensor([NAN, 0.0, 0.0]), "like": torch.tensor([1.0, 1.0, NAN])}
    assert none_missing(labels, ("click", "conversion")).tolist() == [False, False, True]


def test_chain_of_a_label_lists_its_ancestors_from_the_top():
    labels = (Label("click"), Label("cart", given="click"), Label("buy", given="cart"))
    loss = Clicked(0.0, {}, labels=labels)
    assert loss.chains == {"click": ("click",), "cart": ("click", "cart"), "buy": ("click", "cart", "buy")}


@pytest.mark.parametrize(
    ("focal_gamma", "positive_weight", "message"),
    [
        (0.0, {"conversions": 2.0}, r"names 'conversions', which is no binary label; did you mean 'conversion'\?"),
        (0.0, {"spend": 2.0}, "names 'spend', which is no binary label"),
        (0.0, {"click": 0.0}, "positive_weight.click is 0.0"),
        (-1.0, {}, "focal_gamma is -1.0"),
    ],
)
def test_loss_refuses_impossible_arguments(focal_gamma, positive_weight, message):
    with pytest.raises(ConfigError, match=message):
        Clicked(focal_gamma, positive_weight, labels=FUNNEL)


@pytest.mark.parametrize("min_propensity", [0.0, 1.5, NAN])
def test_losses_with_propensities_refuse_an_impossible_least_one(min_propensity):
    settings = {"ctcvr_weight": 0.0, "min_propensity": min_propensity, "labels": FUNNEL}
    for make in (
        lambda: ESCM2IPW(0.0, {}, **settings),
        lambda: ESCM2DR(0.0, {}, **settings),
        lambda: DCMT(0.0, {}, regulariser=0.0, **settings),
    ):
        with pytest.raises(ConfigError, match=f"min_propensity is {min_propensity}"):
            make()


SHARE = [0.5, 0.3, 0.2]
"""Three kinds of rows: the share of each of all rows, click rate, conversion rate of a clicked row, and its prediction."""
CLICK = [0.8, 0.1, 0.25]
CONVERSION = [0.1, 0.6, 0.3]
PREDICTED = [0.2, 0.3, 0.7]
RISK = sum(share * -(r * math.log(q) + (1 - r) * math.log(1 - q)) for share, r, q in zip(SHARE, CONVERSION, PREDICTED))
"""Mean cross-entropy of conversion over all rows, had all been clicked."""
MEAN_ERROR = [-(r * math.log(q) + (1 - r) * math.log(1 - q)) for r, q in zip(CONVERSION, PREDICTED)]
SQUARES = [r * math.log(q) ** 2 + (1 - r) * math.log(1 - q) ** 2 for r, q in zip(CONVERSION, PREDICTED)]
"""Mean squared cross-entropy of each kind."""
PAIR = FUNNEL[:2]


def expectation(loss, propensity, imputed):
    """Exact expected loss of conversion, and its gradient by the logit of each kind: every outcome, weighed by its probability."""
    outcomes = [
        (kind, click, conversion, SHARE[kind] * chance)
        for kind, (c, r) in enumerate(zip(CLICK, CONVERSION))
        for click, conversion, chance in [(1.0, 1.0, c * r), (1.0, 0.0, c * (1 - r)), (0.0, 0.0, 1 - c)]
    ]
    kind, click, conversion, weight = (torch.tensor(values) for values in zip(*outcomes))
    predicted = torch.tensor(PREDICTED).logit().requires_grad_()
    logits = {"click": torch.tensor(propensity).logit()[kind], "conversion": predicted[kind]}
    logits["conversion/imputation"] = torch.tensor(imputed).expm1().log()[kind]  # of which the softplus is imputed
    logits["conversion/counterfactual"] = torch.zeros(len(outcomes))
    value = loss(logits, {"click": click, "conversion": conversion}, weight)["conversion"]
    return value.item(), torch.autograd.grad(value, predicted)[0].tolist()


UNBIASED = [share * (q - r) for share, r, q in zip(SHARE, CONVERSION, PREDICTED)]
"""Gradient of the risk by the logit of each kind."""


def test_clicked_rows_alone_are_biased():
    # what is clicked more often counts more: (0.5 0.8 e_0 + 0.3 0.1 e_1 + 0.2 0.25 e_2) / 0.48
    value, _ = expectation(Clicked(0.0, {}, labels=PAIR), CLICK, [1.0, 1.0, 1.0])
    assert value == pytest.approx((0.4 * MEAN_ERROR[0] + 0.03 * MEAN_ERROR[1] + 0.05 * MEAN_ERROR[2]) / 0.48, rel=1e-5)
    assert abs(value - RISK) > 0.1


def test_inverse_propensities_are_unbiased_if_true():
    value, grads = expectation(ESCM2IPW(0.0, {}, ctcvr_weight=0.0, min_propensity=1e-3, labels=PAIR), CLICK, [1.0, 1.0, 1.0])
    assert value == pytest.approx(RISK, rel=1e-5)
    assert grads == pytest.approx(UNBIASED, rel=1e-4)


def test_self_normalised_propensities_may_all_be_wrong_by_a_factor():
    halved = [click / 2 for click in CLICK]
    value, _ = expectation(ESCM2IPW(0.0, {}, ctcvr_weight=0.0, min_propensity=1e-3, labels=PAIR), halved, [1.0, 1.0, 1.0])
    assert value == pytest.approx(RISK, rel=1e-5)


def test_doubly_robust_risk_is_unbiased_if_propensities_are_true():
    imputed = [0.9, 0.4, 0.2]  # as wrong as can be
    value, grads = expectation(ESCM2DR(0.0, {}, ctcvr_weight=0.0, min_propensity=1e-3, labels=PAIR), CLICK, imputed)
    # the imputation's own error: mean of (e - i)^2 = e^2 - 2 e i + i^2
    own = sum(share * (square - 2 * e * i + i * i) for share, square, e, i in zip(SHARE, SQUARES, MEAN_ERROR, imputed))
    assert value == pytest.approx(RISK + own, rel=1e-5)
    assert grads == pytest.approx(UNBIASED, rel=1e-4)


def test_doubly_robust_risk_is_unbiased_if_imputed_errors_are_right():
    wrong = [0.2, 0.5, 0.9]
    value, _ = expectation(ESCM2DR(0.0, {}, ctcvr_weight=0.0, min_propensity=1e-3, labels=PAIR), wrong, MEAN_ERROR)
    # the imputation's own error is the variance of e, at c / propensity of its weight
    own = sum(share * c / w * (square - e * e) for share, c, w, square, e in zip(SHARE, CLICK, wrong, SQUARES, MEAN_ERROR))
    assert value == pytest.approx(RISK + own, rel=1e-5)


def test_factual_loss_of_dcmt_is_unbiased_if_propensities_are_true():
    loss = DCMT(0.0, {}, regulariser=0.0, ctcvr_weight=0.0, min_propensity=1e-3, labels=PAIR)
    value, grads = expectation(loss, CLICK, [1.0, 1.0, 1.0])
    # the counterfactual logit is 0 everywhere: its mean cross-entropy is log 2
    assert value == pytest.approx(RISK + math.log(2), rel=1e-5)
    assert grads == pytest.approx(UNBIASED, rel=1e-4)
