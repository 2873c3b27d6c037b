"""Every row: those of `of_*.py`."""

from __future__ import annotations

import importlib
from pathlib import Path

from remedies.rows import Row

NEEDS_TORCH = "of_run_eval"
"""How the tables are called that the environment of the lock files cannot try; `tests/run_eval` does."""
_NAMES = sorted(path.stem for path in Path(__file__).parent.glob("of_*.py") if not path.stem.startswith(NEEDS_TORCH))
_TABLES = [importlib.import_module(f"remedies.{name}") for name in _NAMES]
ROWS: list[Row] = [row for table in _TABLES for row in table.ROWS]
LONG: list[Row] = [row for table in _TABLES for row in getattr(table, "LONG", ())]
"""Rows of whole stages, or that read the vocabularies, which takes seconds."""
