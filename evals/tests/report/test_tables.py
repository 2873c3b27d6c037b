"""What no form of a table may leave out, and what LaTeX needs."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from exaid_evals.report.base import STUB_NOTE, Column, Table, build_table
from exaid_evals.report.formats import csv_table, latex, markdown, plain
from exaid_evals.report.registry import TABLES, load
from gold.examples import SIGNATURE, VARIANTS, estimate, variant

TEXTS = {"md": markdown.render, "tex": latex.render, "txt": plain.render}


def main_table(variants: list = VARIANTS) -> Table:  # type: ignore[type-arg]
    """Build the main table."""
    table: Table = load(TABLES["main"]).build(variants, "V3")
    return table


def words(text: str) -> str:
    """Return what a reader of a form reads: no LaTeX commands, one space between words."""
    text = re.sub(r"\\textbar\{\}", "|", text).replace(r"\allowbreak{}", "").replace(r"\_", "_").replace(r"\%", "%")
    return re.sub(r"\s+", " ", text.replace("$\\geq$", "≥"))


@pytest.mark.parametrize("form", TEXTS)
def test_every_form_says_how_its_numbers_were_made(form: str) -> None:
    """Cases, failed cases, what is undefined, stub and signature stand beside each table."""
    text = words(TEXTS[form](main_table()))
    assert SIGNATURE in text
    assert "n = 39 cases; 1 of 40 failed and is left out." in text
    assert "Redundant ≥ 0.90 (V0 39, V3 3, V10_b 39)" in text
    assert STUB_NOTE in text


def test_csv_is_for_parsers() -> None:
    """One header, one line a variant, numbers unrounded, empty where undefined, signature as a column."""
    rows = list(csv.DictReader(io.StringIO(csv_table.render(main_table()))))
    assert [row["variant"] for row in rows] == ["V0", "V3", "V10_b"]
    assert {row["signature"] for row in rows} == {SIGNATURE}
    assert {row["stub"] for row in rows} == {"true"}
    assert rows[0]["time_to_first_update_ms_mean"] == "2345.678"
    assert (rows[0]["redundancy_0.90_mean"], rows[0]["redundancy_0.90_n_undefined"]) == ("", "39")


@pytest.mark.parametrize("form", TEXTS)
def test_mixed_signatures_are_not_passed_over(form: str) -> None:
    """Rows that were made differently: the table says so, and which is which."""
    other = SIGNATURE.replace("bbbbbbbb", "dddddddd")
    text = words(TEXTS[form](main_table([VARIANTS[0], variant("V3", (0, 0, 0, 0, 0), signature=other)])))
    assert "Mixed signatures" in text
    assert f"V0: {SIGNATURE}" in text
    assert f"V3: {other}" in text


@pytest.mark.parametrize("form", TEXTS)
def test_real_data_are_not_called_stub(form: str) -> None:
    """The stub note stands only where a row is of stub data."""
    assert "Stub" not in TEXTS[form](main_table([variant("V3", (0, 0, 0, 0, 0), stub=False)]))


def test_variants_with_other_numbers_of_cases_are_told_apart() -> None:
    """Each n stands with its variants."""
    fewer = dataclasses.replace(VARIANTS[1], n_cases=3, n_failed=0)
    assert "n = 39 cases; 1 of 40 failed and is left out (V0). n = 3 cases (V3)." in plain.render(
        main_table([VARIANTS[0], fewer])
    )


def test_numbers_are_shown_in_their_unit_and_without_negative_zero() -> None:
    """−1 ms is 0.0 s and not −0.0 s; a minus is a minus; thousands are divided; nothing is a dash."""
    seconds = Column("x", "x", unit="s", decimals=1, scale=0.001)
    assert (seconds.mean(estimate(-1.0)), seconds.mean(estimate(-1500.0))) == ("0.0", "−1.5")
    assert Column("x", "x", decimals=0).mean(estimate(1234567.0)) == "1,234,567"
    assert (seconds.mean(None), seconds.mean(estimate(None)), seconds.interval(estimate(None))) == ("–", "–", "")


def test_columns_that_nobody_has_are_left_out() -> None:
    """Other budgets and thresholds than the usual are shown by their own names; missing measures not at all."""
    measures = {"coverage_at_400": estimate(0.5), "coverage_at_900": estimate(0.5), "redundancy_0.50": estimate(0.5)}
    table = main_table([dataclasses.replace(VARIANTS[0], measures=measures)])
    assert [column.heading for column in table.columns] == ["Coverage@400", "Redundant ≥ 0.50"]


def test_latex_escapes_what_tex_would_execute() -> None:
    """A variant's or a measure's name is text, whatever it holds."""
    table = build_table("t", r"100 % \input{x} & $1 #2 {~^|<>", [Column("coverage", "A_b")], VARIANTS, "V3")
    text = latex.render(table)
    assert r"100 \% \textbackslash{}input\{x\} \& \$1 \#2 \{\textasciitilde{}\textasciicircum{}\textbar{}" in text
    assert r"V10\_b" in text
    assert text.isascii()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX is installed")
@pytest.mark.parametrize("name", TABLES)
def test_latex_compiles_as_it_is(name: str, tmp_path: Path) -> None:
    """With booktabs alone, without a warning about anything too wide."""
    table = latex.render(load(TABLES[name]).build(VARIANTS, "V3"))
    source = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + table + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout, done.stdout
