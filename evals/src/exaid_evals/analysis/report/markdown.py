"""The report in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sections import Section, sections
from exaid_evals.analysis.stage import Analysis
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.formats.markdown import escape


def render(analysis: Analysis, plots: Mapping[str, str]) -> str:
    """Return the report.

    Args:
        analysis: of a run.
        plots: metric → path of its picture, relative to the report.
    """
    parts = [f"# Analysis of {_text(analysis.history.run_name)}", *(_section(one) for one in sections(analysis))]
    if plots:
        pictures = [f"![{_text(metric)}]({path})" for metric, path in plots.items()]
        parts.insert(3, "## Plots\n\n" + "\n\n".join(pictures))
    parts.append(f"`{signature(analysis)}`")
    return "\n\n".join(parts) + "\n"


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
