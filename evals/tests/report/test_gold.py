"""Tables, LaTeX and the data behind the figures, against gold files; see evals/tests/gold/README.md."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exaid_evals.report.formats import plain
from exaid_evals.report.registry import FIGURES, FORMATS, TABLES, load
from gold.examples import RESULTS

GOLD = Path(__file__).parents[1] / "gold" / "report"
FORMS = [(table, form, target) for table in TABLES for form, target in {**FORMATS, "txt": plain.__name__}.items()]


@pytest.mark.parametrize(("table", "form", "target"), FORMS, ids=[f"{table}.{form}" for table, form, _ in FORMS])
def test_tables_are_as_agreed(table: str, form: str, target: str) -> None:
    """Each table in each form equals its gold file."""
    check(f"{table}.{form}", load(target).render(TABLES.find(table).build(RESULTS, "V3")))


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_are_drawn_from_what_is_agreed(figure: str) -> None:
    """The data behind each figure equal its gold file."""
    check(f"{figure}.csv", load(FIGURES[figure]).data_csv(RESULTS))


def check(name: str, actual: str) -> None:
    """Compare with a gold file, or write it where UPDATE_GOLD is set."""
    path = GOLD / name
    if os.environ.get("UPDATE_GOLD"):
        path.write_text(actual, encoding="utf-8", newline="\n")
    assert actual == path.read_text(encoding="utf-8")


def test_no_gold_file_is_left_over() -> None:
    """Every gold file is somebody's."""
    expected = {f"{table}.{form}" for table, form, _ in FORMS} | {f"{figure}.csv" for figure in FIGURES}
    assert {path.name for path in GOLD.iterdir()} == expected
