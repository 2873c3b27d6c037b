"""Reports as one HTML file: no network, pictures inside, every text of a run escaped."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sections import Block, Section, sections
from exaid_evals.analysis.stage import Analysis
from exaid_evals.artifacts.printable import printable


def render(analysis: Analysis, plots: Mapping[str, bytes]) -> str:
    """Return the page of an analysis.

    Args:
        analysis: of a run.
        plots: metric → picture as PNG.
    """
    return report_page(
        f"Analysis of {analysis.history.run_name}", sections(analysis), plots, signature(analysis), plots_at=2
    )


def report_page(
    title: str, parts: Sequence[Section], plots: Mapping[str, bytes], made: str, *, plots_at: int | None = None
) -> str:
    """Return the page of a report.

    Args:
        title: of the page.
        parts: sections; the first leads.
        plots: name → picture as PNG.
        made: the signature.
        plots_at: before which section the plots stand; None puts them last.
    """
    shown = [section_html(one, lead=number == 0) for number, one in enumerate(parts)]
    if plots:
        pictures = "".join(_picture(metric, data) for metric, data in plots.items())
        at = len(shown) if plots_at is None else plots_at
        shown.insert(at, f'<h2>Plots</h2><div class="pictures">{pictures}</div>')
    return page(title, f"<h1>{text(title)}</h1>\n" + "\n".join(shown), made)


def page(title: str, body: str, made: str, *, style: str = "", script: str = "", data: str = "") -> str:
    """Return a page that asks nobody for anything: the policy allows its own style and script alone, by their hashes.

    Args:
        title: of the page.
        body: HTML, escaped by its maker.
        made: the signature, at the foot.
        style: further rules.
        script: run at the end of the page.
        data: JSON for the script; any text, it cannot end its element.
    """
    style = _style() + style
    allowed = f"script-src {_hash(script)}; " if script else ""
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; {allowed}base-uri 'none'; form-action 'none'"
    )
    # Within a script element only `</` and `<!--` matter; as \u003c the data is the same JSON.
    held = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    tail = f'\n<script type="application/json" id="data">{held}</script>' if data else ""
    tail += f"\n<script>{script}</script>" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"<footer>{text(made)}</footer>\n</main>{tail}\n</body>\n</html>\n"
    )


def section_html(section: Section, *, lead: bool = False) -> str:
    """Return a section; the paragraphs of one that leads are set apart."""
    return f"<h2>{text(section.title)}</h2>\n" + "\n".join(_block(block, lead=lead) for block in section.blocks)


def text(value: str) -> str:
    """Return text of a run's as HTML that shows it."""
    return html.escape(printable(value), quote=True)


def _block(block: Block, *, lead: bool) -> str:
    parts = [f"<h3>{text(block.heading)}</h3>"] if block.heading else []
    mark = ' class="lead"' if lead else ""
    parts += [f"<p{mark}>{text(line)}</p>" for line in block.paragraphs]
    if block.items:
        parts.append("<ul>" + "".join(f"<li>{text(item)}</li>" for item in block.items) + "</ul>")
    if block.table:
        parts.append(_table(block.table))
    return "\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heading, *body = rows
    head = "".join(f"<th>{text(cell)}</th>" for cell in heading)
    lines = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>\n" for row in body)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table></div>'


def _picture(metric: str, data: bytes) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{text(metric)} over the run" src="data:image/png;base64,{encoded}">'


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def _style() -> str:
    return "\n" + Path(__file__).with_name("style.css").read_text(encoding="utf-8")
