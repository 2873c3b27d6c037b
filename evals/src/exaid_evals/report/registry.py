"""Tables, their forms, and figures, by name. To add one, write its module and name it here, or use an entry point."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from exaid_evals.config.plugins import Kind

_PACKAGE = "exaid_evals.report"

TABLES = Kind(
    "table",
    "exaid_evals.tables",
    {
        "data_set": f"{_PACKAGE}.tables.data_set",
        "main": f"{_PACKAGE}.tables.variants:MAIN",
        "coverage_at_budget": f"{_PACKAGE}.tables.variants:COVERAGE_AT_BUDGET",
        "comparisons": f"{_PACKAGE}.tables.comparisons",
        "delays": f"{_PACKAGE}.tables.variants:DELAYS",
        "extractor_validity": f"{_PACKAGE}.tables.extractor_validity",
        "coverage_gold": f"{_PACKAGE}.tables.variants:COVERAGE_GOLD",
    },
    needs=("build",),
)
"""Each part has `build(results, primary) -> Table | None`; where the data give no such table it
returns None, and `WHY_NOT` says why."""

FORMATS = {
    "csv": f"{_PACKAGE}.formats.csv_table",
    "md": f"{_PACKAGE}.formats.markdown",
    "tex": f"{_PACKAGE}.formats.latex",
}
"""File suffix → module with `render(table) -> str`."""

FIGURES = Kind(
    "figure",
    "exaid_evals.figures",
    {
        "coverage_vs_budget": f"{_PACKAGE}.figures.coverage_vs_budget",
        "compression_vs_coverage": f"{_PACKAGE}.figures.compression_vs_coverage",
        "redundancy_by_tau": f"{_PACKAGE}.figures.redundancy_by_tau",
        "concept_delay": f"{_PACKAGE}.figures.concept_delay",
        "timeline": f"{_PACKAGE}.figures.timeline",
    },
    needs=("TITLE", "CAPTION", "draw", "data_csv"),
)
"""Each module has `TITLE`, `CAPTION`, `draw(results, primary) -> Figure` and `data_csv(results) -> str`."""


def load(target: str) -> ModuleType:
    """Import a part when it is used, for figures need Matplotlib."""
    return import_module(target)
