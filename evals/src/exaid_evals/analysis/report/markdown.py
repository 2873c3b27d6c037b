"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sections import Section, sections
from exaid_evals.analysis.stage import Analysis
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.formats.markdown import escape


def render(analysis: Analysis, plots: Mapping[str, str]) -> str:
    """Return the report of an analysis.

    Args:
        analysis: of a run.
        plots: metric → path of its picture, relative to the report.
    """
    title = f"Analysis of {analysis.history.run_name}"
    return document(title, sections(analysis), plots, signature(analysis), plots_at=2)


def document(
    title: str, parts: Sequence[Section], plots: Mapping[str, str], made: str | None, *, plots_at: int | None = None
) -> str:
    """Return a report.

    Args:
        title: of the document.
        parts: its sections.
        plots: name → path of a picture, relative to the report.
        made: the signature; None for none.
        plots_at: before which section the plots stand; None puts them last.
    """
    shown = [f"# {_text(title)}", *(_section(one) for one in parts)]
    if plots:
        pictures = [f"![{_text(metric)}]({path})" for metric, path in plots.items()]
        shown.insert(len(shown) if plots_at is None else plots_at + 1, "## Plots\n\n" + "\n\n".join(pictures))
    if made is not None:
        shown.append(f"`{made}`")
    return "\n\n".join(shown) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {section.title}"]
    for block in section.blocks:
        if block.heading:
            parts.append(f"### {_text(block.heading)}")
        parts += [_text(line) for line in block.paragraphs]
        if block.items:
            parts.append("\n".join(f"- {_text(item)}" for item in block.items))
        if block.table:
            parts.append(_table(block.table))
    return "\n\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    heading, *body = rows
    lines = [_row(heading), "|" + " --- |" * len(heading), *(_row(row) for row in body)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(text: str) -> str:
    return escape(printable(text)).replace("![", "!\\[")
