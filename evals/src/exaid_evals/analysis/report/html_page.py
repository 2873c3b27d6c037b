"""The report as one HTML file: no script, no network, pictures inside, every text of the run escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sections import Block, Section, sections
from exaid_evals.analysis.stage import Analysis
from exaid_evals.artifacts.printable import printable

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --faint: #6a6a6a; --line: #ddd; --paper: #fff; --mark: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #a0a0a0; --line: #444; --paper: #181818; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; border-bottom: 1px solid var(--line); margin-top: 2rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.lead { border-left: 4px solid var(--mark); padding-left: .8rem; font-size: 1.05rem; }
img { max-width: 100%; background: #fff; display: block; margin: .6rem 0; }
footer { color: var(--faint); font: .75rem ui-monospace, monospace; margin-top: 2rem; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(analysis: Analysis, plots: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        analysis: of a run.
        plots: metric → picture as PNG.
    """
    title = f"Analysis of {analysis.history.run_name}"
    parts = [_section(one, lead=number == 0) for number, one in enumerate(sections(analysis))]
    if plots:
        parts.insert(2, "<h2>Plots</h2>" + "".join(_picture(metric, data) for metric, data in plots.items()))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
        + "\n".join(parts)
        + f"\n<footer>{_text(signature(analysis))}</footer>\n</body>\n</html>\n"
    )


def _section(section: Section, *, lead: bool) -> str:
    return f"<h2>{_text(section.title)}</h2>\n" + "\n".join(_block(block, lead=lead) for block in section.blocks)


def _block(block: Block, *, lead: bool) -> str:
    parts = [f"<h3>{_text(block.heading)}</h3>"] if block.heading else []
    mark = ' class="lead"' if lead else ""
    parts += [f"<p{mark}>{_text(line)}</p>" for line in block.paragraphs]
    if block.items:
        parts.append("<ul>" + "".join(f"<li>{_text(item)}</li>" for item in block.items) + "</ul>")
    if block.table:
        parts.append(_table(block.table))
    return "\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heading, *body = rows
    head = "".join(f"<th>{_text(cell)}</th>" for cell in heading)
    lines = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>\n" for row in body)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table>"


def _picture(metric: str, data: bytes) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{_text(metric)} over the run" src="data:image/png;base64,{encoded}">'


def _text(text: str) -> str:
    return html.escape(printable(text), quote=True)
