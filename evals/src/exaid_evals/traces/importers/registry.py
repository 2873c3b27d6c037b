"""Importers by name. To add one, write a file and name it here; other packages use an entry point."""

from __future__ import annotations

from typing import cast

from exaid_evals.config.plugins import Kind
from exaid_evals.errors import DataError
from exaid_evals.traces.importers.base import Importer
from exaid_evals.traces.importers.source import Source

_PACKAGE = "exaid_evals.traces.importers"
# In the order in which they are asked whether a file is theirs.
_IMPORTERS = {
    "otel": f"{_PACKAGE}.otel:OtelImporter",
    "langchain": f"{_PACKAGE}.langchain:LangchainImporter",
    "autogen": f"{_PACKAGE}.chat:AutogenImporter",
    "openai": f"{_PACKAGE}.chat:OpenaiImporter",
    "csv": f"{_PACKAGE}.csv_table:CsvImporter",
}
IMPORTERS = Kind("format", "exaid_evals.importers", _IMPORTERS)
AUTO = "auto"


def importer_named(name: str) -> Importer:
    """Return an importer.

    Raises:
        ConfigError: none has that name, or it cannot be built.
    """
    return cast("Importer", IMPORTERS.build(name))


def importer_of(source: Source) -> Importer:
    """Return the first importer that claims a file: those of other packages by name, then the built-in ones.

    Others come first because they know a narrower shape; a general one would often claim it too.

    Raises:
        DataError: none does, or the file cannot be read.
    """
    known = [importer_named(name) for name in [*IMPORTERS.others(), *IMPORTERS]]
    for importer in known:
        if importer.claims(source):
            return importer
    # A broken file says best itself why nobody knows it.
    if source.text.lstrip()[:1] in ("{", "["):
        _ = source.roots
    formats = ", ".join(importer.name for importer in known)
    raise DataError(
        "no conversation of a known format", where=str(source.path), remedy=f"name it with --format: {formats}"
    )
