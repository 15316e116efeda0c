"""What reports ask of the task."""

from recsys.metric.declaration import Declaration, usual_columns
from recsys.report.compare import Measured
from recsys.report.content import Section
from recsys.report.grids import MODEL, Outcome, beside_baselines, verdict

FILES: tuple[str, ...] = ()
REMEDY, RESAMPLES = "train again", 100
ERROR = Declaration("squared_error", "mean squared error", measure=None, better="less", beside=True)


def outcomes(metrics, model):
    columns = usual_columns([ERROR], metrics, MODEL)
    if not columns:
        return []
    table = beside_baselines(metrics, columns, name="error", title="Click rates of items", model=model)
    return [Outcome(table, verdict(table, ERROR), metric=ERROR)]


def tables(metrics, model):
    return [outcome.table for outcome in outcomes(metrics, model)]


def tested_on(run):
    return "rows"


def sections(run):
    yield Section("results", "Results", (), tuple(tables(run.metrics, run.model_name)))


def limits(run):
    yield "An item's rate says nothing of who looks at it."


def incomparable(first, run):
    return ()


def measurements(runs, names):
    return Measured([], ["squared_error (kept for no row)"], "rows", 0)
