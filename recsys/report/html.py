"""A report as one HTML file that needs no other: no script, no network, and no value that becomes markup."""

import base64
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from recsys.report.content import THIS, Figure, Grid, Mark, Report, Row, Section, Value, column_kind
from recsys.report.style import STYLE
from recsys.report.words import HIT, cell_text, interval

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Policy that lets a browser show the page and do nothing else with it."""


def page(report: Report) -> str:
    """The whole file."""
    links = "".join(f'<a href="#{escape(section.name)}">{escape(section.title)}</a>' for section in report.sections)
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.facts)
    verdict = "".join(f"<span>{escape(line)}</span>" for line in report.verdict.split("\n"))
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{escape(report.title)}</title><style>{STYLE}</style>'
    )
    body = (
        f'<header><p class="kind">{escape(report.kind)}</p><h1>{escape(report.title)}</h1><p class="verdict">{verdict}</p>'
        f'<dl class="facts">{facts}</dl><nav aria-label="Sections">{links}</nav></header>\n'
        f"<main>\n{''.join(map(_section, report.sections))}</main>\n"
        "<footer>Made from recorded files alone; nothing here was edited by hand.</footer>"
    )
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _section(section: Section) -> str:
    name, title = escape(section.name), escape(section.title)
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in section.text)
    heading = f'<h2 id="{name}-title">{title}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{heading}{text}{_parts(section.parts)}</section>\n'


def _parts(parts: Sequence[Grid | Figure]) -> str:
    """Drawings that follow each other stand side by side where there is space."""
    text, row = "", []
    for part in (*parts, None):
        if isinstance(part, Figure):
            row.append(_figure(part))
            continue
        text += f'<div class="figures">{"".join(row)}</div>' if row else ""
        row = []
        text += _grid(part) if part is not None else ""
    return text


def _figure(figure: Figure) -> str:
    source = base64.b64encode(figure.svg.encode()).decode()  # as an image a drawing can neither run scripts nor share names with another
    image = f'<img alt="{escape(figure.alt)}" src="data:image/svg+xml;base64,{source}">'
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{image}</figure>"


def _grid(grid: Grid) -> str:
    title = escape(grid.title)
    if len(grid.columns) == 1:
        items = "".join(f"<li>{escape(str(value))}</li>" for (value,) in grid.rows)
        return f"<h3>{title}</h3><ul>{items}</ul>"
    kinds = [column_kind(grid.column(place)) for place in range(len(grid.columns))]
    heads = "".join(f'<th scope="col" class="{kind}">{escape(name)}</th>' for name, kind in zip(grid.columns, kinds))
    firsts = [None, *grid.column(0)]
    rows = "".join(_row(grid, kinds, mark, row, before) for (mark, row), before in zip(grid.marked(), firsts))
    layout = " cards" if "lines" in kinds else " stacked" if "prose" in kinds else ""
    note = f'<p class="note">{escape(grid.note)}</p>' if grid.note else ""
    table = f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table{layout}" role="region" aria-label="{title}" tabindex="0">{table}</div>{note}'


def _row(grid: Grid, kinds: Sequence[str], mark: Mark, row: Row, before: Value) -> str:
    cells = ""
    for place, (value, column, kind) in enumerate(zip(row, grid.columns, kinds)):
        tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
        same = " same" if place == 0 and isinstance(value, str) and value == before else ""
        label = f' data-label="{escape(column)}"' if column else ""
        text = cell_text(value, column) + (THIS if mark == "own" and place == 0 else "")
        inside = "".join(map(_line, text.split("\n"))) if kind == "lines" else escape(text)
        if bounds := interval(value, column):
            inside += f" <small>{escape(bounds)}</small>"
        if place == grid.folders and isinstance(value, str):
            inside = f'<a href="./{escape(quote(value))}/">{inside}</a>'
        cells += f'<{tag}{scope} class="{kind}{same}"{label}>{inside}</{tag}>'
    look = {"own": ' class="this"', "best": ' class="this"', "aside": ' class="aside"'}.get(mark, "")
    return f"<tr{look}>{cells}</tr>"


def _line(text: str) -> str:
    return f'<span class="hit">{escape(text)}</span>' if HIT in text else f"<span>{escape(text)}</span>"
