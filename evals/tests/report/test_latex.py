"""LaTeX that compiles as it is, whatever the names in it hold."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from exaid_evals.report.base import Column, Row, Table, build_table, column
from exaid_evals.report.cells import Number, Text
from exaid_evals.report.formats import latex
from exaid_evals.report.formats.latex import escape
from exaid_evals.report.registry import TABLES
from exaid_evals.report.results import Results
from gold.examples import RESULTS, VARIANTS, comparison
from latex_engine import compiled_alone, needs_latex

HOSTILE = [
    r"100 % \input{/etc/passwd} & $1 #2 {~^|<>}",
    "[0.1, 0.2] first",
    "*starred",
    "two\n\nparagraphs",
    "Ärzte 漢字 🙂 é \u202e\x07",
    "%",
    "\\",
    'a -- b `quoted\' "x"',
    "−1 ≥ τ × √ ± · … → –",
]


def hostile_table(texts: list[str]) -> Table:
    """Return a table that has its texts everywhere a text can stand."""
    rows = tuple(
        Row((text,), (Text(text), Number(1.5)), stub=False, signature=f"exaid-evals/1|{text}", group=f"{text} group")
        for text in texts
    )
    columns = (Column("a", texts[0], unit=texts[0], panel=texts[0], holds=Text), Column("b", "B", holds=Number))
    return Table("hostile_name", f"Title ] {texts[0]}", columns, rows, (texts[0], *texts), row_heading=texts[0])


def test_latex_escapes_what_tex_would_execute() -> None:
    """A variant's or a measure's name is text, whatever it holds."""
    table = build_table("t", r"100 % \input{x} & $1 #2 {~^|<>", [column("coverage")], VARIANTS, "V3")
    text = latex.render(table)
    assert r"100 \% \textbackslash{}input\{x\} \& \$1 \#2 \{\textasciitilde{}\textasciicircum{}\textbar{}" in text
    assert r"V10\_b" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_escaped_text_is_text_on_one_line(text: str) -> None:
    """No command, comment or paragraph is left; letters that TeX may not know stand with their code points."""
    escaped = escape(text)
    assert re.sub(r"\\exaidchar\{.\}", "", escaped).isascii()
    assert all(ord(one) == int(code, 16) for one, code in re.findall(r"\\exaidchar\{(.)\}\{(\w+)\}", escaped))
    assert escaped.isprintable()
    assert not re.search(r"(?<!\\)[%&#_]", escaped)


@needs_latex
def test_tables_compile_as_they_are(tmp_path: Path) -> None:
    """With booktabs alone, without a warning about anything too wide, too high, or a missing glyph."""
    tables = [latex.render(TABLES.find(name).build(RESULTS, "V3")) for name in TABLES]
    log = compiled_alone(tmp_path, "\n".join(tables))
    assert not re.search(r"Overfull|too large|Missing character|LaTeX Font Warning|LaTeX Warning: Float", log), log


@needs_latex
def test_hostile_names_compile(tmp_path: Path) -> None:
    """As title, note, heading, unit, panel, group, label, cell and signature; each first in its table once."""
    turned = [HOSTILE[number:] + HOSTILE[:number] for number in range(len(HOSTILE))]
    tables = [replace(hostile_table(texts), name=f"hostile_{number}") for number, texts in enumerate(turned)]
    log = compiled_alone(tmp_path, "\n".join(latex.render(table) + "\\clearpage" for table in tables))
    assert "Missing character" not in log
    assert "passwd)" not in log


def many_comparisons() -> Results:
    """Return eight measures of twelve pairs, which no page holds."""
    names = [f"W{number:02d}_long" for number in range(12)]
    measures = ["compression", "coverage", "coverage_at_500", "coverage_auc", "unsupported", "llm_calls"]
    compared = tuple(comparison(name, measure, -0.125, 0.04) for measure in measures for name in names)
    return replace(RESULTS, comparisons=compared)


def test_a_long_table_goes_on_under_its_number() -> None:
    """Every row stands in one of the floats, each float is closed, and one of them has the label."""
    text = latex.render(TABLES.find("comparisons").build(many_comparisons(), "V3"))
    n_floats = text.count(r"\begin{table}")
    assert n_floats == text.count(r"\end{table}") == 3
    assert text.count(r"\addtocounter{table}{-1}") == n_floats - 1
    assert text.count(r"\label{") == 1
    assert text.count(r"W11\_long $-$ V3") == 6
    assert text.count(r"\textit{Coverage@500, higher is better}") == 1


@needs_latex
def test_long_tables_fit_their_pages(tmp_path: Path) -> None:
    """No float is higher than a page of a plain article: many comparisons, and many variants."""
    many = [replace(VARIANTS[1], variant_id=f"W{number}") for number in range(40)]
    tables = [("comparisons", many_comparisons()), ("main", many), ("coverage_at_budget", many)]
    rendered = [latex.render(TABLES.find(name).build(results, "V3")) for name, results in tables]
    log = compiled_alone(tmp_path, "\n\\clearpage\n".join(rendered))
    assert "too large" not in log
    assert "Overfull" not in log


@pytest.mark.skipif(not (shutil.which("xelatex") and shutil.which("pdftotext")), reason="no XeLaTeX, or no pdftotext")
@pytest.mark.parametrize(("sentence", "printed"), [("модель", "модель"), ("漢字", "漢字|[U+6F22][U+5B57]")])
def test_a_unicode_engine_prints_what_its_font_has(tmp_path: Path, sentence: str, printed: str) -> None:
    """Cyrillic with a font that has it; letters that the font lacks by their code points, and none is lost."""
    fonts = [
        path
        for folder in ("truetype/dejavu", "dejavu")
        for path in Path("/usr/share/fonts", folder).glob("DejaVuSans.ttf")
    ]
    if not fonts:
        pytest.skip("no DejaVu Sans")
    font = f"\\setmainfont{{DejaVuSans.ttf}}[Path={fonts[0].parent}/]"
    head = f"\\documentclass{{article}}\n\\usepackage{{fontspec}}\n{font}\n\\pagestyle{{empty}}\n\\begin{{document}}\n"
    (tmp_path / "t.tex").write_text(
        f"{head}{latex.DEFINITION}\n{latex.escape(sentence)}\n\\end{{document}}\n", encoding="utf-8"
    )
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout
    assert "Missing character" not in (tmp_path / "t.log").read_text(encoding="utf-8", errors="replace")
    shown = subprocess.run(["pdftotext", "t.pdf", "-"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.strip() in printed.split("|")
