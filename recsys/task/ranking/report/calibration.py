"""Whether predicted probabilities can be taken at their word."""

from recsys.report.content import Figure, Grid, Section
from recsys.report.draw import element
from recsys.report.reliability import off_diagonal, reliability_plot
from recsys.run.directory import RunDirectory

TEXT = (
    "Test rows in groups of equal size by predicted probability: on the diagonal, what was predicted came true as often. Bars are "
    "95 % intervals (Wilson), rows taken as independent."
)
HEADINGS = ("label", "rows", "positive", "groups", "groups off the diagonal", "farthest: predicted", "farthest: came true")


def section(run: RunDirectory) -> Section | None:
    """A reliability curve per binary label and funnel; None where there is none."""
    if not run.reliability:
        return None
    rows, figures = [], []
    for label, curve in run.reliability.items():
        outside, worst = off_diagonal(curve)
        rows.append((label, curve["rows"], curve["positives"], len(curve["bins"]), outside, worst["predicted"], worst["actual"]))
        alt = f"Reliability of {label}: " + ", ".join(
            f"predicted {each['predicted']:.4f}, came true {each['actual']:.4f}" for each in curve["bins"]
        )
        figures.append(Figure(f"calibration/{label}", "Predicted, and came true", element(reliability_plot({label: curve})), alt))
    return Section("calibration", "Calibration", (TEXT,), (*figures, Grid("calibration", "Calibration in numbers", HEADINGS, tuple(rows))))
