"""A report as one HTML file that needs no other: no script, no network, and no value that becomes markup."""

import base64
from collections.abc import Sequence
from html import escape

from recsys.report.content import Figure, Grid, Report, Section, Value
from recsys.report.style import STYLE
from recsys.report.words import HIT, THIS, percent

LONG = 45
"""Letters of a text that no longer is a name."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may do with the page: show it."""


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
        f'<header><p class="kind">Evaluation report</p><h1>{escape(report.title)}</h1><p class="verdict">{verdict}</p>'
        f'<dl class="facts">{facts}</dl><nav aria-label="Sections">{links}</nav></header>\n'
        f"<main>\n{''.join(map(_section, report.sections))}</main>\n"
        "<footer>Made from the files of the run alone; nothing here was edited by hand.</footer>"
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
    # as an image a drawing can neither run scripts nor share names with another
    source = base64.b64encode(figure.svg.encode()).decode()
    image = f'<img alt="{escape(figure.alt)}" src="data:image/svg+xml;base64,{source}">'
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{image}</figure>"


def _grid(grid: Grid) -> str:
    if len(grid.columns) == 1:
        items = "".join(f"<li>{escape(str(value))}</li>" for (value,) in grid.rows)
        return f"<h3>{escape(grid.title)}</h3><ul>{items}</ul>"
    kinds = [_kind([row[place] for row in grid.rows]) for place in range(len(grid.columns))]
    heads = "".join(f'<th scope="col" class="{kind}">{escape(name)}</th>' for name, kind in zip(grid.columns, kinds))
    rows, before = "", None
    for row in grid.rows:
        rows += _row(row, grid.columns, kinds, before)
        before = row[0]
    layout = " cards" if "lines" in kinds else " told" if "prose" in kinds else ""
    note = f'<p class="note">{escape(grid.note)}</p>' if grid.note else ""
    title = escape(grid.title)
    table = f"<table><caption>{title}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="table{layout}" role="region" aria-label="{title}" tabindex="0">{table}</div>{note}'


def _kind(values: Sequence[Value]) -> str:
    """How a column is set: numbers to the right, lines below each other, and sentences on a phone below their row."""
    told = [value for value in values if value is not None]
    if told and all(isinstance(value, int | float) for value in told):
        return "number"
    texts = [value for value in told if isinstance(value, str)]
    if any("\n" in text for text in texts):
        return "lines"
    return "prose" if any(len(text) > LONG for text in texts) else "text"


def _row(row: Sequence[Value], columns: Sequence[str], kinds: Sequence[str], before: Value) -> str:
    cells = ""
    for place, (value, column, kind) in enumerate(zip(row, columns, kinds)):
        tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
        same = " same" if place == 0 and value == before and kind != "number" else ""
        label = f' data-label="{escape(column)}"' if column else ""
        text = shown(value, column)
        inside = "".join(map(_line, text.split("\n"))) if kind == "lines" else escape(text)
        cells += f'<{tag}{scope} class="{kind}{same}"{label}>{inside}</{tag}>'
    this = ' class="this"' if str(row[0]).endswith(THIS) else ""
    return f"<tr{this}>{cells}</tr>"


def _line(text: str) -> str:
    return f'<span class="hit">{escape(text)}</span>' if HIT in text else f"<span>{escape(text)}</span>"


def shown(value: Value, column: str) -> str:
    """A cell as a person reads it; what a column holds tells how many digits it needs.

    Example:
        >>> shown(0.1218, "share"), shown(1234567, "rows"), shown(0.14703, "recall@20"), shown(None, "from")
        ('12.2 %', '1,234,567', '0.1470', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if column == "share":
        return percent(value)
    if isinstance(value, int):
        return f"{value:,}"
    digits = 1 if column == "seconds" or abs(value) >= 100 else 4
    return f"{value:{'+' if '−' in column else ''},.{digits}f}".replace("-", "−")
