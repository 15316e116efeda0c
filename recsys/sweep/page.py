"""sweep.html: one self-contained page of a sweep, for people; the same after the same trials."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import combinations

import optuna

from recsys.sweep import plots
from recsys.sweep.frozen import Plan
from recsys.sweep.rows import Row
from recsys.sweep.table import duration, shown

STYLE = """
:root { color-scheme: light; --ink: #3d4451; --faint: #b9c0cb; --accent: #1f6fb2 }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.2rem }
.wide { overflow-x: auto } svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid #eceff3 }
th { font-weight: 600; vertical-align: bottom } .text { text-align: left } .reason { white-space: normal; min-width: 16rem }
a { color: inherit } tr.best td { font-weight: 600; color: var(--accent) } tr.other td { color: #8a93a3 }
"""


def page(found: Sequence[Row], study: optuna.Study, plan: Plan) -> str:
    """The page.

    Args:
        found: trials, best first.
    """
    title = f"Sweep: {plan.name}"
    body = "\n".join(
        [f"<h1>{escape(title)}</h1>", f"<p>{escape(_summary(found, plan))}</p>", *_pictures(found, study, plan), *_trials(found, plan)]
    )
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n'


def _summary(found: Sequence[Row], plan: Plan) -> str:
    counts = [(state, sum(row.state == state for row in found)) for state in ("finished", "pruned", "failed")]
    ended = ", ".join(f"{count} {state}" for state, count in counts if count)
    wanted = " and ".join(f"{key} ({'more' if which == 'max' else 'less'} is better)" for key, which in plan.sweep.objectives.items())
    best = [row for row in found if row.best]
    names = ", ".join(f"trial {row.number} ({', '.join(shown(value) for value in row.values.values())})" for row in best)
    verdict = "" if not best else f" Nothing beats {names}." if len(plan.sweep.objectives) > 1 else f" The best is {names}."
    return f"{len(found)} trials: {ended}, chosen by {plan.sweep.sampler}, for {wanted}.{verdict}"


def _pictures(found: Sequence[Row], study: optuna.Study, plan: Plan) -> Iterator[str]:
    finished = [row for row in found if row.state == "finished"]
    if not finished:
        return
    objectives = plan.sweep.objectives
    for first, second in combinations(objectives, 2):
        yield f"<h2>{escape(first)} against {escape(second)}</h2>{_wide(plots.front_plot(finished, first, second))}"
    for place, (key, which) in enumerate(objectives.items()):
        of = f": {escape(key)}" if len(objectives) > 1 else ""
        yield f"<h2>How it went{of}</h2>{_wide(plots.history(finished, key, which))}"
        if shares := plots.importance(study, plan.sweep, place):
            said = (
                "<p>Share of the spread between finished trials that each setting explains by itself (fANOVA); with few trials, a hint.</p>"
            )
            yield f"<h2>What mattered{of}</h2>{said}{_wide(plots.importance_plot(shares))}"
        yield f"<h2>Settings and results{of}</h2>{_wide(plots.parallel_plot(finished, plan.sweep, key, which))}"


def _trials(found: Sequence[Row], plan: Plan) -> Iterator[str]:
    failed = any(row.reason for row in found)
    heads = ["rank", "trial", "state", *plan.sweep.objectives, *plan.sweep.space, "time", "directory"]
    heads = "".join(f"<th>{escape(head)}</th>" for head in heads) + "<th class=text>reason</th>" * failed
    yield f"<h2>Trials</h2><div class=wide><table><tr>{heads}</tr>"
    for row in found:
        state = f"pruned at {row.evaluations}" if row.state == "pruned" else row.state
        cells = [shown(row.rank), str(row.number), state, *map(shown, row.values.values())]
        cells += [*(shown(row.parameters.get(key)) for key in plan.sweep.space), duration(row.seconds)]
        folder = f'<td><a href="{escape(row.run)}/">{escape(row.run)}</a></td>' if row.run else "<td></td>"
        reason = f'<td class="text reason">{escape(row.reason)}</td>' * failed
        kind = "best" if row.best else "" if row.rank else "other"
        yield f'<tr class="{kind}">' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + folder + reason + "</tr>"
    yield "</table></div>"


def _wide(svg: str) -> str:
    return f'<div class="wide">{svg}</div>'
