"""Every row."""

from __future__ import annotations

from remedies import (
    of_artifacts,
    of_imports,
    of_measures,
    of_programs,
    of_rest,
    of_runs,
    of_settings,
    of_stages,
    of_stores,
    of_texts,
)
from remedies.rows import Row

_TABLES = (
    of_artifacts,
    of_imports,
    of_measures,
    of_texts,
    of_programs,
    of_rest,
    of_runs,
    of_settings,
    of_stages,
    of_stores,
)
ROWS: list[Row] = [row for table in _TABLES for row in table.ROWS]
LONG: list[Row] = [*of_texts.LONG, *of_stages.LONG]
"""Rows of whole stages, or that read the vocabularies, which takes seconds."""
