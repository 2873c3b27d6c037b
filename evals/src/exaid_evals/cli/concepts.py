"""`concepts`: which clinical concepts the extractor sees in a text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.concepts_text import RENDERERS, Annotated
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import ConfigRequest, argument, flag, option
from exaid_evals.config.requests import ExtractorRequest
from exaid_evals.errors import DataError

if TYPE_CHECKING:
    from exaid_evals.concepts.base import Mention

_BATCH = 256  # documents that are held at the same time


@dataclass(frozen=True, kw_only=True)
class ConceptsRequest(ExtractorRequest, ConfigRequest):
    """Whose concepts are shown, and how."""

    file: str = argument("[FILE]", default="-")
    kind: str = option(
        "One text, or JSON Lines of {id, text}; auto: JSON Lines where the first character is a brace.",
        "--input",
        default="auto",
        choices=("auto", "text", "jsonl"),
    )
    form: str = option(
        "JSON Lines for programs; a table or a page with the concepts highlighted for people.",
        "--format",
        default="jsonl",
        choices=tuple(RENDERERS),
    )
    html: bool = flag("The same as --format html.")


def run(request: ConceptsRequest) -> int:
    """Show which clinical concepts the extractor sees in FILE; without one, or with -, in standard input.

    Offsets count code points. Every mention is listed. `negated` marks what the text denies and `experiencer` what it
    says of somebody else than the patient; measures leave out both unless metrics.yaml says otherwise. Exit status:
    1 where a line is not a record with a text.
    """
    from exaid_evals.concepts.base import AnnotatingExtractor
    from exaid_evals.concepts.registry import load_extractor
    from exaid_evals.concepts.stop_entities import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig

    folder = request.configs
    config = load_config(MetricsConfig, folder / "metrics.yaml", request.overrides("metrics.yaml")).value
    found = load_extractor(
        config.extractor.name,
        config.extractor.settings,
        stop_entities=read_stop_entities(folder / config.stop_entities),
    )
    find: Callable[[Sequence[str]], list[tuple[Mention, ...]]] = found.mentions
    name_of: Callable[[str], str] = str
    if isinstance(found, AnnotatingExtractor):
        find, name_of = found.annotate, found.name_of

    def annotated() -> Iterator[Annotated]:
        for batch in _batches(_documents(request.file, request.kind)):
            mentions = find([text for _, text in batch])
            yield from (Annotated(*document, one, name_of) for document, one in zip(batch, mentions, strict=True))

    for line in RENDERERS["html" if request.html else request.form](annotated()):
        click.echo(line)
    return 0


command = verb("concepts", ConceptsRequest, run)


def _batches(documents: Iterator[tuple[object, str]]) -> Iterator[list[tuple[object, str]]]:
    batch = []
    for document in documents:
        batch.append(document)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _documents(file: str, kind: str) -> Iterator[tuple[object, str]]:
    """Yield the id and the text of each document of a file.

    Raises:
        DataError: it cannot be read, is not UTF-8, or a line is not a record with a text.
    """
    from exaid_evals.artifacts.content import content_chunks
    from exaid_evals.artifacts.jsonl import parse_line

    where = "standard input" if file == "-" else file
    content = sys.stdin.buffer.read() if file == "-" else b"".join(content_chunks(Path(file)))
    content = content.removeprefix(b"\xef\xbb\xbf")
    if kind == "text" or (kind == "auto" and not content.lstrip().startswith(b"{")):
        try:
            yield ("-" if file == "-" else Path(file).stem), content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"invalid UTF-8 at byte {error.start}", where=where, remedy="save the file as UTF-8"
            ) from None
        return
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        line = parse_line(raw.rstrip(b"\r"), number)
        if line.value is None:
            raise DataError(line.problem or "not a record", where=f"{where}:{number}", remedy=line.remedy)
        text = line.value.get("text")
        if not isinstance(text, str):
            raise DataError(
                "the record has no text", where=f"{where}:{number}", remedy='write {"id": …, "text": "…"} on each line'
            )
        yield line.value.get("id", number), text
