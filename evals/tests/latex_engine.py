"""A real LaTeX, where one is installed, and what it says about a document."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_latex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX (pdflatex) is installed")


def compiled(folder: Path, source: str, *, runs: int = 1) -> str:
    """Compile a document as an author would; return the last run's log.

    Args:
        folder: to work in.
        source: the file's name there.
        runs: how often, for lists and references need two.
    """
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source]
    for _ in range(runs):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout
    return done.stdout


def compiled_alone(folder: Path, table: str) -> str:
    """Compile a table in a plain article with booktabs and nothing else; return the log."""
    source = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + table + "\\end{document}\n"
    (folder / "t.tex").write_text(source, encoding="utf-8")
    return compiled(folder, "t.tex")
