"""Reports as one HTML file: no network, pictures inside, every text of a run escaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sections import Block, Section, sections
from exaid_evals.analysis.stage import Analysis
from exaid_evals.report.html_page import page, text


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


def section_html(section: Section, *, lead: bool = False) -> str:
    """Return a section; the paragraphs of one that leads are set apart."""
    return f"<h2>{text(section.title)}</h2>\n" + "\n".join(_block(block, lead=lead) for block in section.blocks)


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
