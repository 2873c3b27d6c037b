"""Reading one or more files as the verb does, with settings that tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.errors import DataError
from exaid_evals.traces.importers.assemble import Casting, Imported, read_conversations
from exaid_evals.traces.importers.base import importer_of
from exaid_evals.traces.model import Provenance


def read(*paths: Path, casting: Casting | None = None, skip: bool = False, note: str = "") -> Imported:
    """Read files whose format is found by looking."""
    return read_conversations(
        paths,
        importer_of,
        casting=casting,
        provenance=Provenance("", "0" * 40, "model-1", stub=False),
        note=note,
        skip_unmapped=skip,
    )


def write(path: Path, value: Any) -> Path:
    """Write text as it is, bytes as they are, and anything else as JSON."""
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def said(imported: Imported) -> dict[str, list[tuple[str, str]]]:
    """Return who says what in each case."""
    return {trace.case_id: [(item.agent_id, item.content) for item in trace.messages] for trace in imported.traces}


def problems_of(path: Path) -> list[str]:
    """Read a file that is refused, and return its problems without the folder."""
    with pytest.raises(DataError) as caught:
        read(path)
    return [
        line.removeprefix(f"  - {path.parent}/").split(";")[0]
        for line in str(caught.value).splitlines()
        if line.startswith("  - ")
    ]
