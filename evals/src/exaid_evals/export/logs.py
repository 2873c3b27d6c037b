"""The log of an export: everything to a dated file in the output folder, and what a user must know to the terminal.

A log is not a result: it lies in `logs/`, its name and lines carry the time of day, and no hash or comparison takes it
    in.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from exaid_evals.artifacts.redaction import printable_lines

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
