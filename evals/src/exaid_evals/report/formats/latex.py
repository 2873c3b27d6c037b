r"""A table as LaTeX that compiles as it is with `\usepackage{booktabs}` and nothing else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby

from exaid_evals.report.base import Column, Row, Table

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
    "`": r"\textquoteleft{}",
    "–": "--",
    "—": "---",
    "’": "'",
    "−": "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "τ": r"$\tau$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "σ": r"$\sigma$",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
CHARACTER = r"\exaidchar"
# Known to 8-bit engines by its name in inputenc (Cyrillic with T2A), to xeCJK and LuaTeX-ja by their fonts for CJK, to
# others where the current font has it. It expands to plain text, so that it may stand in captions.
DEFINITION = (
    r"\providecommand{\exaidchar}[2]{\ifcsname u8:\detokenize{#1}\endcsname#1\else"
    r"\ifdefined\xeCJKsetup#1\else\ifdefined\ltjsetparameter#1\else\ifdefined\Umathchar"
    r"\iffontchar\font"
    '"'
    r"#2 #1\else{[}U+#2{]}\allowbreak\fi\else{[}U+#2{]}\allowbreak\fi\fi\fi\fi}"
)


_ENGINES = (
    "% Names hold letters beyond Latin. XeLaTeX and LuaLaTeX print those of the font, pdfLaTeX Cyrillic with T2A;\n"
    "% what an engine or its font lacks is printed as its code point, such as [U+6F22]."
)


def escape(text: str) -> str:
    r"""Return text in which TeX sees only text, on one line: signs without a letter's nature by their code points.

    >>> escape("95 % of V_1 ≥ 0.9")
    '95 \\% of V\\_1 $\\geq$ 0.9'
    >>> escape("é\n\n漢 🙂")
    "\\'{e} \\exaidchar{漢}{6F22} {[}U+1F642{]}"
    """
    return "".join(_character(character) for character in " ".join(text.split()))


LOOSE = r"\allowbreak{}"
_LONG_WORD = 32


def prose(text: str) -> str:
    r"""Return text, escaped, whose long words, such as names of files, may break behind their signs.

    >>> prose("in evaluation_results_long_h100_20250115 of")[:45], prose("a_b")
    ('in evaluation\\_\\allowbreak{}results\\_\\allowbr', 'a\\_b')
    """
    words = [
        LOOSE.join(escape(part) for part in re.findall(r"[^_/.:=-]*[_/.:=-]?", word) if part)
        if len(word) > _LONG_WORD
        else escape(word)
        for word in text.split()
    ]
    return " ".join(words)


def breakable(text: str) -> str:
    r"""Return a signature, escaped, for a typewriter face: one long word that may break behind each of its parts.

    >>> breakable("a/1|b:x_2")
    'a/\\allowbreak{}1|\\allowbreak{}b:x\\_2'
    """
    # Typewriter faces have the bar itself; \textbar would take it from another font, with a warning.
    return re.sub(r"([|/+])", r"\1\\allowbreak{}", escape(text).replace(r"\textbar{}", "|"))


def line(cells: list[str]) -> str:
    r"""Return a row of a tabular; what opens with `[` or `*` would be an argument of the `\\` before it."""
    row = " & ".join(cells)
    return ("{}" if row.lstrip().startswith(("[", "*")) else "") + row + r" \\"


@lru_cache(maxsize=4096)
def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if " " <= character <= "~":
        return character
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return f"\\{_ACCENTS[marks[0]]}{{{base}}}"
    if unicodedata.category(character).startswith("L"):
        return f"{CHARACTER}{{{character}}}{{{ord(character):04X}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"


_PAGE_PT = 540.0
"""What a float may take of a plain article's page of 550 pt; heights here are of Computer Modern, in points."""

_LINE_PT, _BELOW_PT, _GROUP_PT = 9.5, 2.0, 3.0
_CAPTION_LINE_PT, _CAPTION_LINE_CHARACTERS = 12.0, 72
_PANEL_PT = 22.0
"""Rules and the distance to the panel above."""
_TITLE_PT = 4.0
"""The rule below a panel's title."""


def render(table: Table) -> str:
    """Return a float with the caption above; panels stand below each other, each with its own columns.

    A table that is longer than a page goes on in another float of the same number.
    """
    parts = _parts(table)
    floats = [_float(part, n_before=number, last=number == len(parts) - 1) for number, part in enumerate(parts)]
    opening = [r"% Made by exaid-evals from the metrics files; do not edit. Needs \usepackage{booktabs}."]
    if any(CHARACTER in one for one in floats):
        opening += [_ENGINES, DEFINITION]
    return "\n".join([*opening, *floats]) + "\n"


def _parts(table: Table) -> list[Table]:
    """Return the table in pieces that fit a page each, divided between groups where a group fits a page."""
    empty = _frame_height(table) + _CAPTION_LINE_PT
    parts: list[list[Row]] = [[]]
    used = empty + _caption_height(table)
    for group, members in groupby(table.rows, key=lambda row: row.group):
        rows = list(members)
        opening = (_LINE_PT + _GROUP_PT) * len(table.panels) if group else 0.0
        whole = opening + sum(_height(table, row) for row in rows)
        if parts[-1] and used + whole > _PAGE_PT >= empty + whole:
            parts.append([])
            used = empty
        used += opening
        for row in rows:
            if parts[-1] and used + _height(table, row) > _PAGE_PT:
                parts.append([])
                used = empty + opening
            parts[-1].append(row)
            used += _height(table, row)
    return [replace(table, rows=tuple(rows)) for rows in parts]


def _frame_height(table: Table) -> float:
    return sum(_PANEL_PT + 3 * _LINE_PT + (_TITLE_PT if title else 0.0) for title, _ in table.panels)


def _caption_height(table: Table) -> float:
    n_characters = sum(len(text) + 1 for text in (table.title, *table.notes, *table.signature_lines))
    return (n_characters // _CAPTION_LINE_CHARACTERS + 2) * _CAPTION_LINE_PT


def _height(table: Table, row: Row) -> float:
    """Return the height of a row in all panels, with what stands below its cells."""
    below = [any(table.columns[index].below(row.cells[index]) for index in columns) for _, columns in table.panels]
    return sum(2 * _LINE_PT + _BELOW_PT if one else _LINE_PT for one in below)


def _float(table: Table, *, n_before: int, last: bool) -> str:
    panels = [_panel(table, title, columns) for title, columns in table.panels]
    label = f"tab:exaid-{table.name.replace('_', '-')}"
    if n_before:
        # The counter goes back, so that every part has the same number; label and list entry belong to the first.
        caption = rf"\caption{{{escape(table.title)} (continued).}}"
        unlisted = rf"{{\renewcommand{{\addcontentsline}}[3]{{}}{caption}}}"
        heading = [r"\addtocounter{table}{-1}", unlisted, r"\vspace{4pt}"]
    else:
        heading = [rf"\caption[{{{escape(table.title)}}}]{{{_caption(table)}}}", r"\vspace{4pt}", rf"\label{{{label}}}"]
        if any(LOOSE in prose(note) for note in (table.title, *table.notes)):
            heading.insert(0, r"\setlength{\emergencystretch}{4em}")
    lines = [
        r"\begin{table}[tp]",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        *heading,
        "\n\n\\medskip\n".join(panels),
        *([] if last else [r"\par\smallskip\raggedleft\textit{continued}"]),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _caption(table: Table) -> str:
    notes = " ".join(prose(note) for note in (f"{table.title}.", *table.notes))
    signatures = [breakable(one) for one in table.signature_lines]
    return f"{notes} Signature: " + " ".join(rf"{{\scriptsize\ttfamily {one}}}" for one in signatures)


def _panel(table: Table, title: str, columns: Sequence[int]) -> str:
    shown = [table.columns[index] for index in columns]
    width = len(columns) + 1
    aligned = "".join("l" if column.left else "r" for column in shown)
    # Panels of one width stand in line, whatever their number of columns.
    lines = [rf"\begin{{tabular*}}{{\linewidth}}{{@{{\extracolsep{{\fill}}}}l{aligned}@{{}}}}", r"\toprule"]
    if title:
        lines += [_across(title, width), r"\midrule"]
    lines.append(line([escape(table.row_heading), *(escape(column.heading) for column in shown)]))
    if any(column.unit for column in shown):
        lines.append(line(["", *(_small(f"({column.unit})" if column.unit else "") for column in shown)]))
    lines.append(r"\midrule")
    for number, (group, rows) in enumerate(groupby(table.rows, key=lambda row: row.group)):
        if number:
            lines.append(r"\addlinespace[3pt]")
        lines += [_across(group, width)] if group else []
        lines += _body(table, list(rows), shown, columns)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular*}"])


def _body(table: Table, rows: Sequence[Row], shown: Sequence[Column], columns: Sequence[int]) -> list[str]:
    lines = []
    for number, row in enumerate(rows):
        cells = [row.cells[index] for index in columns]
        below = [column.below(cell) for column, cell in zip(shown, cells, strict=True)]
        if number and any(below):
            lines.append(r"\addlinespace[2pt]")
        name = escape(row.name)
        indented = rf"\quad {name}" if row.group else name
        values = [escape(column.shown(cell)) for column, cell in zip(shown, cells, strict=True)]
        lines.append(line([rf"\textbf{{{name}}}" if row.key == table.primary else indented, *values]))
        if any(below):
            lines.append(line(["", *(_small(text) for text in below)]))
    return lines


def _across(text: str, width: int) -> str:
    return rf"\multicolumn{{{width}}}{{@{{}}l}}{{\textit{{{escape(text)}}}}} \\"


def _small(text: str) -> str:
    return rf"{{\scriptsize {escape(text)}}}" if text else ""
