r"""A table as LaTeX that compiles as it is with `\usepackage{booktabs}` and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from exaid_evals.report.base import Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
    "≥": r"$\geq$",
    "τ": r"$\tau$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
}


def render(table: Table) -> str:
    """Return a float with the caption above; panels stand below each other, each with its own columns."""
    panels = [_panel(table, title, columns) for title, columns in table.panels]
    lines = [
        r"% Made by exaid-evals from the metrics files; do not edit. Needs \usepackage{booktabs}.",
        r"\begin{table}[tp]",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{_caption(table)}}}",
        r"\vspace{4pt}",
        rf"\label{{tab:exaid-{table.name.replace('_', '-')}}}",
        "\n\n\\medskip\n".join(panels),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Return text in which TeX sees only text.

    >>> escape("95 % of V_1 ≥ 0.9")
    '95 \\% of V\\_1 $\\geq$ 0.9'
    """
    return "".join(_SPECIAL.get(character, character) for character in text)


def _caption(table: Table) -> str:
    # A signature is one long word; it may break behind each of its parts.
    signatures = [re.sub(r"(\\textbar\{\}|/|\+)", r"\1\\allowbreak{}", escape(line)) for line in table.signature_lines]
    notes = " ".join(escape(note) for note in (f"{table.title}.", *table.notes))
    return f"{notes} Signature: " + " ".join(rf"{{\scriptsize\ttfamily {line}}}" for line in signatures)


def _panel(table: Table, title: str, columns: Sequence[int]) -> str:
    shown = [table.columns[index] for index in columns]
    width = len(columns) + 1
    # Panels of one width stand in line, whatever their number of columns.
    lines = [rf"\begin{{tabular*}}{{\linewidth}}{{@{{\extracolsep{{\fill}}}}l{'r' * len(columns)}@{{}}}}", r"\toprule"]
    if title:
        lines += [rf"\multicolumn{{{width}}}{{@{{}}l}}{{\textit{{{escape(title)}}}}} \\", r"\midrule"]
    lines.append(_line(["Variant", *(escape(column.heading) for column in shown)]))
    if any(column.unit for column in shown):
        lines.append(_line(["", *(_small(escape(f"({column.unit})" if column.unit else "")) for column in shown)]))
    lines.append(r"\midrule")
    for number, row in enumerate(table.rows):
        name = escape(row.variant_id)
        estimates = [row.estimates[index] for index in columns]
        means = [escape(column.mean(estimate)) for column, estimate in zip(shown, estimates, strict=True)]
        intervals = [
            _small(escape(column.interval(estimate))) for column, estimate in zip(shown, estimates, strict=True)
        ]
        if number:
            lines.append(r"\addlinespace[2pt]")
        lines.append(_line([rf"\textbf{{{name}}}" if row.variant_id == table.primary else name, *means]))
        lines.append(_line(["", *intervals]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular*}"])


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}" if text else ""


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
