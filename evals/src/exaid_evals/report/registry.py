"""Tables, their forms, and figures, by name. To add one, write its module and name it here, or use an entry point."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from exaid_evals.config.plugins import Kind

_ROOM = "exaid_evals.report"

TABLES = Kind(
    "table",
    "exaid_evals.tables",
    {
        "data_set": f"{_ROOM}.tables.data_set",
        "main": f"{_ROOM}.tables.main",
        "coverage_at_budget": f"{_ROOM}.tables.coverage_at_budget",
        "comparisons": f"{_ROOM}.tables.comparisons",
        "delays": f"{_ROOM}.tables.delays",
        "extractor_validity": f"{_ROOM}.tables.extractor_validity",
        "coverage_gold": f"{_ROOM}.tables.coverage_gold",
    },
    needs=("build",),
)
"""Each module has `build(results, primary) -> Table | None`; where the data give no such table it
returns None, and `WHY_NOT` says why."""

FORMATS = {
    "csv": f"{_ROOM}.formats.csv_table",
    "md": f"{_ROOM}.formats.markdown",
    "tex": f"{_ROOM}.formats.latex",
}
"""File suffix → module with `render(table) -> str`."""

FIGURES = Kind(
    "figure",
    "exaid_evals.figures",
    {
        "coverage_vs_budget": f"{_ROOM}.figures.coverage_vs_budget",
        "compression_vs_coverage": f"{_ROOM}.figures.compression_vs_coverage",
        "redundancy_by_tau": f"{_ROOM}.figures.redundancy_by_tau",
        "concept_delay": f"{_ROOM}.figures.concept_delay",
        "timeline": f"{_ROOM}.figures.timeline",
    },
    needs=("TITLE", "CAPTION", "draw", "data_csv"),
)
"""Each module has `TITLE`, `CAPTION`, `draw(results, primary) -> Figure` and `data_csv(results) -> str`."""


def load(target: str) -> ModuleType:
    """Import a part when it is used, for figures need Matplotlib."""
    return import_module(target)
