"""Every row."""

from __future__ import annotations

from remedies import of_artifacts, of_imports, of_settings
from remedies.rows import Row

ROWS: list[Row] = [*of_artifacts.ROWS, *of_imports.ROWS, *of_settings.ROWS]
