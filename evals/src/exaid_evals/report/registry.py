"""Tables, their forms, and figures, by name. To add one, write its module and name it here, or use an entry point."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_ROOM = "exaid_evals.report"

TABLES = {
    "main": f"{_ROOM}.tables.main",
    "coverage_at_budget": f"{_ROOM}.tables.coverage_at_budget",
}
"""Each module has `build(variants, primary) -> Table`."""

FORMATS = {
    "csv": f"{_ROOM}.formats.csv_table",
    "md": f"{_ROOM}.formats.markdown",
    "tex": f"{_ROOM}.formats.latex",
}
"""File suffix → module with `render(table) -> str`."""

FIGURES = {
    "coverage_vs_budget": f"{_ROOM}.figures.coverage_vs_budget",
}
"""Each module has `TITLE`, `draw(variants, primary) -> Figure` and `data_csv(variants) -> str`."""


def load(target: str) -> ModuleType:
    """Import a part when it is used, for figures need Matplotlib."""
    return import_module(target)
