"""Declaration of a metric, once, beside the function that computes it; all who show, compare or keep metrics read it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

Better: TypeAlias = Literal["more", "less"]
Measure = TypeVar("Measure", bound=Callable | None)
LAST = 100
"""Place behind all metrics that name one."""


@dataclass(frozen=True)
class Declaration(Generic[Measure]):
    """All that is known of one metric.

    Attributes:
        name: in metric keys, before any "@k".
        words: its meaning, for a reader who does not know it; "first k" becomes the first 20 at a cut-off of 20.
        measure: computes it; None where the code that gathers sums computes it by name.
        better: None where neither more nor less is.
        unit: of its values; "" = a share, or none.
        heading: of its column in tables; "" = its name.
        cutoff: the usual k, if any.
        chance: value that guessing gets, where bars start; at 0.0 a value may be given as a multiple of another.
        place: order in which metrics stand side by side; the first that has a value orders models and judges them.
        headline: among the headline metrics of a report.
        beside: shown beside baselines: on the terminal, in the report and on the model card.
        groups: measured of groups of users, items or rows too.
        compared: runs are compared in it; it is then a mean over users, or a quotient of sums over them.
        rivals: its values by user are kept of baselines and the oracle too, for paired comparisons.
    """

    name: str
    words: str
    _: KW_ONLY
    measure: Measure
    better: Better | None = "more"
    unit: str = ""
    heading: str = ""
    cutoff: int | None = None
    chance: float | None = None
    place: int = LAST
    headline: bool = True
    beside: bool = False
    groups: bool = False
    compared: bool = False
    rivals: bool = False

    @property
    def order(self) -> int:
        """-1 where less is better, else 1: times this, the best value is the largest."""
        return -1 if self.better == "less" else 1

    def meaning(self, column: str) -> str:
        """Meaning of the values of a column such as "recall@20"."""
        words = self.words.replace("first k", f"first {column.partition('@')[2]}") if self.cutoff else self.words
        return words + (f", in {self.unit}" if self.unit else "") + ("; less is better" if self.better == "less" else "")


def usual_columns(metrics: Iterable[Declaration], keys: Collection[str], prefix: str) -> dict[str, Declaration]:
    """{"recall@20": declaration} of the metrics that have a value, by place, each at the measured cut-off nearest to its usual one.

    Args:
        keys: of flat metrics, such as "test/recall@20" or "test/click/auc".
        prefix: of the keys to look at, such as "test/" or "test/click/".

    Example:
        >>> recall = Declaration("recall", "share found among the first k", measure=None, cutoff=20)
        >>> list(usual_columns([recall], ["test/recall@10", "test/recall@50", "val/recall@20"], "test/"))
        ['recall@10']
    """
    columns: dict[str, Declaration] = {}
    for metric in sorted(metrics, key=lambda metric: metric.place):
        start = f"{prefix}{metric.name}"
        if metric.cutoff is None:
            columns |= {metric.name: metric} if start in keys else {}
            continue
        ks = [int(key[len(start) + 1 :]) for key in keys if key.startswith(f"{start}@") and key[len(start) + 1 :].isdigit()]
        if ks:
            usual = metric.cutoff
            columns[f"{metric.name}@{min((abs(k - usual), k) for k in ks)[1]}"] = metric
    return columns
