"""Look of a page: on a wide screen, on a phone, in the dark and on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfbf9; --card: #ffffff; --ink: #23272f; --soft: #5b6370; --line: #e4e1da; --accent: #1a5f9c; --good: #1d7a4f;
}
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171b; --card: #1b1e23; --ink: #e4e6ea; --soft: #a3abb8; --line: #30353d; --accent: #7db8ea; --good: #6fcf9f; }
  img { filter: invert(0.91) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; }
h1, h2, h3 { line-height: 1.2; font-weight: 650; letter-spacing: -0.012em; text-wrap: balance; }
h1 { font-size: 2.1rem; margin: 0 0 1rem; }
h2 { font-size: 1.4rem; margin: 0 0 0.6rem; }
h3, caption { font-size: 0.95rem; font-weight: 600; margin: 0; }
p { margin: 0 0 0.9rem; max-width: 44rem; overflow-wrap: anywhere; text-wrap: pretty; }
a { color: var(--accent); text-underline-offset: 0.2em; }
.kind { color: var(--soft); margin-bottom: 0.3rem; }
.verdict { font-size: 1.2rem; line-height: 1.5; max-width: 48rem; margin-bottom: 1.6rem; }
.verdict span { display: block; margin-bottom: 0.5rem; }
.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.9rem 2rem;
  margin: 0 0 1.6rem; padding: 1.1rem 0; border: solid var(--line); border-width: 1px 0;
}
.facts dt { color: var(--soft); font-size: 0.82rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; font-size: 0.95rem; }
nav a { text-decoration: none; padding: 0.15rem 0; }
nav a:hover, nav a:focus { text-decoration: underline; }
section { padding-top: 3rem; }
section > p { color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; margin: 1.2rem 0; }
figure {
  margin: 0; padding: 0.9rem 0.9rem 0.6rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  max-width: 34rem; break-inside: avoid;
}
figcaption { font-size: 0.95rem; font-weight: 600; margin-bottom: 0.5rem; overflow-wrap: anywhere; }
img { display: block; width: 100%; height: auto; }
.table { margin: 1.6rem 0; overflow-x: auto; }
.table:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
table { border-collapse: collapse; min-width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: 0.45rem; }
th, td { text-align: left; vertical-align: top; padding: 0.34rem 1.1rem 0.34rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--soft); font-size: 0.82rem; vertical-align: bottom; border-bottom-color: var(--soft); }
th:last-child, td:last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; }
td.text { white-space: nowrap; }
td.prose { min-width: 14rem; max-width: 34rem; color: var(--soft); overflow-wrap: anywhere; }
td.lines { min-width: 11rem; overflow-wrap: anywhere; }
.cards table { font-size: 0.85rem; }
.lines span { display: block; padding-left: 1.1em; text-indent: -1.1em; }
th.lines span:first-child, .hit { font-weight: 650; }
.hit { color: var(--good); }
tbody th { overflow-wrap: break-word; min-width: 6.5rem; }
tr.this > * { font-weight: 650; }
tr.aside > * { color: var(--soft); }
td small, th small { color: var(--soft); font-weight: 400; font-size: 0.8em; }
.same { color: transparent; }
.note { color: var(--soft); font-size: 0.85rem; margin: 0.5rem 0 0; }
ul { margin: 0.4rem 0 1rem; padding-left: 1.15rem; max-width: 46rem; }
li { margin-bottom: 0.35rem; overflow-wrap: anywhere; }
footer { padding-top: 3rem; padding-bottom: 3rem; color: var(--soft); font-size: 0.85rem; }
@media (max-width: 42rem) {
  header { padding-top: 1.6rem; }
  h1 { font-size: 1.65rem; }
  .verdict { font-size: 1.08rem; }
  section { padding-top: 2.2rem; }
  .facts { grid-template-columns: 1fr; gap: 0.55rem; }
  figure { padding: 0.7rem 0.4rem 0.4rem; }
  figcaption { padding: 0 0.3rem; }
  th, td { padding-right: 0.8rem; }
  .table:not(.cards, .stacked) tbody th { position: sticky; left: 0; background: var(--paper); max-width: 9.5rem; }
  .table.stacked { overflow: visible; }
  .stacked table, .stacked thead, .stacked tbody { display: block; }
  .stacked caption { display: block; }
  .stacked tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid var(--line); }
  .stacked th, .stacked td { border: 0; padding-bottom: 0.15rem; }
  .stacked tr > :not(.number, .prose) {
    flex: 1 1 30%; min-width: 0; max-width: none; position: static; white-space: normal; overflow-wrap: anywhere;
  }
  .stacked tr > th:not(.number, .prose):has(+ .text) { flex: 1 0 100%; font-weight: 650; }
  .stacked thead th:has(+ .text), .stacked .same, .stacked td.prose:empty { display: none; }
  .stacked .number { flex: 1 1 0; }
  .stacked td.prose { flex: 1 0 100%; padding-top: 0; padding-bottom: 0.5rem; font-size: 0.85rem; }
  .stacked th.prose { display: none; }
  .cards thead { display: none; }
  .cards table, .cards tbody, .cards tr, .cards td, .cards tbody th, .cards caption { display: block; width: 100%; }
  .cards tr { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 0.7rem 0.9rem; margin-bottom: 0.9rem; }
  .cards td, .cards tbody th { border: 0; padding: 0.25rem 0; max-width: none; text-align: left; }
  .cards .same { color: inherit; }
  .cards td::before, .cards tbody th::before { content: attr(data-label); display: block; color: var(--soft); font-size: 0.8rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #111; --soft: #444; --line: #ccc; --accent: #111; }
  @page { margin: 16mm 15mm; }
  body { font-size: 9.5pt; line-height: 1.45; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  header { padding-top: 0; }
  nav { display: none; }
  img { filter: none; }
  section { padding-top: 1.6rem; }
  h2, h3, caption, figcaption, section > p { break-after: avoid; }
  tr, figure, li, p { break-inside: avoid; }
  thead { display: table-header-group; }
  .figures { grid-template-columns: repeat(2, 1fr); }
  .table { overflow: visible; }
  table, .cards table { font-size: 7.6pt; }
  .cards tbody th { max-width: 8rem; }
  th, td { padding: 0.22rem 0.6rem 0.22rem 0; }
  thead th { font-size: 7.2pt; }
  td.prose, td.lines, tbody th { min-width: 0; }
}
"""
