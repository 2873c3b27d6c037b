"""Trackio: its database of a project, `<project>.db` in TRACKIO_DIR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exaid_evals.runs.files.archives import is_database, opened_database
from exaid_evals.runs.files.document import embedded
from exaid_evals.runs.files.values import mapping_of
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import Entry, ManyRuns, file_in

_TABLES = ("metrics", "configs", "system_metrics")

_BY_ID = ("SELECT run_id, run_name, step, metrics FROM metrics ORDER BY id", "SELECT run_id, config FROM configs")
# Older versions know runs by their names alone.
_BY_NAME = ("SELECT run_name, run_name, step, metrics FROM metrics ORDER BY id", "SELECT run_name, config FROM configs")


class TrackioFormat(ManyRuns):
    """Reads a run each, by its name; of runs with one name each with the beginning of its id, or all of it."""

    name = "trackio"

    def file_of(self, place: Path) -> Path | None:
        """Return the database."""
        return file_in(place, (".db",), lambda path: is_database(path, _TABLES))

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read every run that has logged something."""
        with opened_database(path, _TABLES, "Trackio's") as database:
            columns = {row[1] for row in database.execute("PRAGMA table_info(metrics)")}
            queries = _BY_ID if "run_id" in columns else _BY_NAME
            logged, configs = (database.execute(query).fetchall() for query in queries)
        settings = dict(configs)
        rows: dict[tuple[str, str], list[Row]] = {}
        for run, name, step, metrics in logged:
            rows.setdefault((str(run), str(name)), []).append({**_object(metrics), "step": step})
        names = Counter(name for _, name in rows)
        short = {(run, name): name if names[name] == 1 else f"{name}-{run[:8]}" for run, name in rows}
        alike = Counter(short.values())
        return {
            short[run, name] if alike[short[run, name]] == 1 else f"{name}-{run}": Entry(
                rows=of_run,
                step="step",
                config={key: one for key, one in _object(settings.get(run)).items() if not key.startswith("_")},
            )
            for (run, name), of_run in rows.items()
        }


def _object(held: Any) -> dict[str, Any]:
    return mapping_of(embedded(held.decode("utf-8", "replace") if isinstance(held, bytes) else held))
