"""The files of an export: written, with those of an earlier one removed; and its log.

A log is not a result: it lies in `logs/`, its name and lines carry the time of day, and no hash or comparison takes it
in.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.atomic import remove_leftovers, write_unless_same
from exaid_evals.artifacts.canonical import canonical_bytes, canonical_json
from exaid_evals.artifacts.hashing import sha256_bytes, sha256_text, short
from exaid_evals.artifacts.redaction import printable_lines
from exaid_evals.artifacts.schemas import header
from exaid_evals.errors import DataError
from exaid_evals.export import tables
from exaid_evals.export.aggregate import Ranked
from exaid_evals.export.cache import record_text
from exaid_evals.export.export_table import forms, records_of
from exaid_evals.export.stage import Export
from exaid_evals.files import lies_in
from exaid_evals.report.base import Table
from exaid_evals.report.registry import FORMATS
from exaid_evals.runs.base import Format
from exaid_evals.runs.formats.campaign import CampaignFormat

FOLDER = "logs"
LEVELS = ("debug", "info", "warning", "error", "critical")
_LOGGER = "exaid_evals.export"


class _ForTerminal(logging.Formatter):
    """What others wrote must not steer a terminal; what is not news says its level."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable_lines(record.getMessage())
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class _ForFile(logging.Formatter):
    """A line each, with its time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"{time} {record.levelname} {printable_lines(record.getMessage())}"


class _LogFile(logging.FileHandler):
    """A log that cannot be written is no reason for a traceback: what fails because of it says so itself."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class names it so
        """Leave the line out."""


@contextlib.contextmanager
def logging_of(level: str, folder: Path | None = None) -> Iterator[None]:
    """Send the export's messages to the terminal's stderr from a level on, and all of them to a file.

    Args:
        level: one of `LEVELS`.
        folder: output folder, in which the file is made; None writes none.
    """
    logger = logging.getLogger(_LOGGER)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(level.upper())
    terminal.setFormatter(_ForTerminal())
    handlers: list[logging.Handler] = [terminal]
    if folder is not None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / FOLDER / f"export-{stamp}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _LogFile(path, encoding="utf-8", errors="backslashreplace")
        file.setFormatter(_ForFile())
        handlers.append(file)
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


SUMMARY = "exported_summary.json"
RUNS_FILE = "exported_runs.jsonl"
RUNS_WITHIN_BYTES = 8 * 1024 * 1024
"""Runs of more than this stand in a file of their own: what reads records takes none of over 16 MiB."""
WARNINGS_WITHIN = 10_000
SCHEMA = "exaid.export"

_TABLES = (tables.RUNS, tables.AGGREGATED, tables.CLASSES, tables.CV, tables.HPO, "over_seeds", "variants_over_runs")
"""The last was the name of the one before it, until that was over seeds and cases."""
_EVERY = [RUNS_FILE, *(f"{name}.{suffix}" for name in _TABLES for suffix in (*FORMATS, "json"))]
# Formats whose runs get tables and figures of their own, and the module that makes them: imported where there are any.
_OF_FORMATS = {"model_reports": "exaid_evals.export.model_report_outputs"}


def write_export(
    export: Export, out: Path, readers: Sequence[Format] = (), texts: Mapping[str, str] | None = None
) -> Table | None:
    """Write the files into a folder and return the table of variants over seeds, where there is one.

    Args:
        export: what to write.
        out: the folder.
        readers: are asked for files of their own.
        texts: name of a run → canonical text of its record, of those that have been made; None for none.
    """
    remove_leftovers(out)
    files = _common(export, texts or {})
    table = None
    if sum(run.cases is not None for run in export.runs) > 1:
        from exaid_evals.export import over_seeds  # late: of other runs none needs NumPy

        table = over_seeds.build(export)
    if table is not None:
        files |= {f"{table.name}.{suffix}": text.encode() for suffix, text in forms(table, export.warnings).items()}
    for reader in readers:
        files |= _own(reader, export, out)
    for name, content in files.items():
        write_unless_same(out / name, content)
    for name in _EVERY:
        if name not in files:
            (out / name).unlink(missing_ok=True)
    return table


def _common(export: Export, texts: Mapping[str, str]) -> dict[str, bytes]:
    runs_csv = tables.runs_csv(export)
    signature = signature_of(export, runs_csv)
    files = {**summary_files(export, signature, texts), tables.RUNS_CSV: runs_csv.encode()}
    made = [tables.aggregated_table(export, signature), tables.class_table(export, signature)]
    # A campaign has hundreds of metrics; its own tables show them.
    if any(run.format != CampaignFormat.name for run in export.runs):
        files |= tables.runs_table(export, signature).files(csv=False)
    records = {}
    if export.folds:
        records[tables.CV] = tables.cv_record(export, signature)
        made.append(tables.cv_table(export, signature))
    if export.trials:
        records[tables.HPO] = tables.hpo_record(export, signature)
        made.append(tables.hpo_table(export, signature))
    for name, record in records.items():
        files[f"{name}.json"] = canonical_bytes(record) + b"\n"
    for one in made:
        files |= one.files() if one is not None else {}
    return files


def _own(reader: Format, export: Export, out: Path) -> dict[str, bytes]:
    """Return a format's own files.

    Raises:
        DataError: one of them would lie outside the output folder.
    """
    runs = [run for run in export.runs if run.format == reader.name]
    if not runs:
        return {}
    made = dict(reader.outputs(runs))
    if reader.name in _OF_FORMATS:
        made |= importlib.import_module(_OF_FORMATS[reader.name]).outputs(runs, reader.settings)
    for name in made:
        if not lies_in(out / name, out):
            raise DataError(f"the reader {reader.name} would write {name!r} outside --out", where=str(out))
    return made


def signature_of(export: Export, runs_csv: str) -> str:
    """Return how the export was made: of which runs, and what ranks them."""
    stub = "yes" if export.stub else "no"
    primary = export.primary_metric or "none"
    return f"exaid-evals/{__version__}|runs:{short(sha256_text(runs_csv))}|by:{export.by}|primary:{primary}|stub:{stub}"


def summary_files(export: Export, signature: str, texts: Mapping[str, str]) -> dict[str, bytes]:
    """Return the summary, and beside it its runs where a record that holds them all would be too large to validate."""
    runs = [texts.get(run.name) or record_text(run) for run in export.runs]
    record = summary_record(export, signature)
    if sum(map(len, runs)) <= RUNS_WITHIN_BYTES:
        return {SUMMARY: _with_runs(record, runs)}
    opening = canonical_json({**header(SCHEMA), "record_type": "run"})[1:-1]
    # In the order of keys: record_type, run, schema_name, schema_version.
    before, after = opening.split(',"schema_name"')
    content = "".join([f'{{{before},"run":{text},"schema_name"{after}}}\n' for text in runs]).encode()
    record["runs_file"] = {"name": RUNS_FILE, "n": len(runs), "sha256": sha256_bytes(content)}
    more = len(export.warnings) - WARNINGS_WITHIN
    if more > 0:
        note = f"{more} further warnings stand in the export's log alone, since there are so many"
        record["warnings"] = [*export.warnings[:WARNINGS_WITHIN], note]
    return {SUMMARY: canonical_bytes(record) + b"\n", RUNS_FILE: content}


def summary_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the export's one record, without its runs."""
    several = len(export.groups) > 1
    return {
        **header(SCHEMA),
        "record_type": "export_summary",
        "runs": [],
        "failed_runs": [{"run": one.run, "problem": one.problem} for one in export.failures],
        # Over unlike runs no mean is taken: each group has its own, and the trials of a search have none.
        "aggregated": records_of(export.aggregated) if export.is_of_like_runs else {},
        "groups": [
            {
                "name": group.name,
                "runs": [run.name for run in group.runs],
                "aggregated": records_of(group.aggregated) if several else {},
            }
            for group in export.groups
        ],
        "per_class": {of: records_of(one) for of, one in export.per_class.items()} if export.is_of_like_runs else {},
        "best_run": _chosen(export.best),
        "worst_run": _chosen(export.worst),
        "primary_metric": export.primary_metric,
        "primary_direction": None if export.lower is None else ("lower" if export.lower else "higher"),
        "group_by": export.by,
        "warnings": list(export.warnings),
        "signature": signature,
        "signatures": list(export.signatures),
        "stub": export.stub,
    }


def _with_runs(record: dict[str, Any], runs: Sequence[str]) -> bytes:
    """Return the record's canonical bytes with its runs, whose texts are canonical already."""
    before = {name: value for name, value in record.items() if name < "runs"}
    after = {name: value for name, value in record.items() if name > "runs"}
    parts = [canonical_json(before)[:-1], f'"runs":[{",".join(runs)}]', canonical_json(after)[1:]]
    return (",".join(parts) + "\n").encode()


def _chosen(one: Ranked | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"run": one.run, "value": one.value, **({"tied": list(one.tied)} if one.tied else {})}
