"""Numbers, times and metrics in the words of a report."""

THIS = " (this run)"
"""How the name of a row ends that is about the run itself."""
HIT = "✓"
"""Before an item that the user chose."""
MEANING = {
    "recall": "share of what a user chose in the test that is among the first k recommended",
    "ndcg": "the same, where a place further up counts more",
    "hit_rate": "share of users with at least one hit among the first k",
    "precision": "share of the first k that the user chose",
    "mrr": "1 / place of the first hit",
    "map": "mean precision at the places of the hits",
    "novelty": "bits of surprise of an item, mean of the first k; popular ones have few",
    "coverage": "share of the catalogue that anybody is recommended among the first k",
    "gini": "how unequally items are recommended: 0 all alike, 1 one alone",
    "auc": "chance that a row where it came true is predicted above one where it did not; 0.5 is guessing",
    "gauc": "the same within each user's rows",
    "pr_auc": "mean precision over all recalls; guessing gives the share of positives",
    "log_loss": "mean of -log of what was predicted for what happened; less is better",
    "normalized_entropy": "log loss over that of always predicting the mean; below 1 is better than that",
    "ece": "mean distance of predicted and actual shares in groups of equal size; less is better",
    "predicted_over_actual": "1 is right on average; above 1 promises too much",
    "rmse": "root of the mean squared error, in units of the label",
    "mae": "mean absolute error, in units of the label",
}


def meaning(metric: str) -> str:
    """What a metric such as recall@20 says; "" for one without words."""
    name, _, k = metric.partition("@")
    text = MEANING.get(name, "")
    return text.replace("first k", f"first {k}") if k else text


def percent(share: float) -> str:
    """A share as a person writes it.

    Example:
        >>> percent(0.0473)
        '4.7 %'
    """
    return f"{100 * share:.1f} %"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would choose.

    Example:
        >>> duration(75.2)
        '1 min 15 s'
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def day(moment: str) -> str:
    """An ISO 8601 moment without its T and Z, to the minute.

    Example:
        >>> day("2025-03-23T23:51:08Z")
        '2025-03-23 23:51'
    """
    return moment.replace("T", " ")[:16]
