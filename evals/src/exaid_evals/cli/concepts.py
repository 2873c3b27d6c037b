"""`concepts`: which clinical concepts the extractor sees in a text."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from exaid_evals.cli.display import aligned, shortened
from exaid_evals.cli.verb import measuring_of, verb
from exaid_evals.config.request import ConfigRequest, ExtractorRequest, JobsRequest, argument, flag, option
from exaid_evals.errors import DataError

if TYPE_CHECKING:
    from exaid_evals.concepts.base import Mention
    from exaid_evals.report.document import Piece

_COLUMNS = ("document", "place", "text", "concept", "name", "said")
_WIDEST = 40


class Annotated(NamedTuple):
    """A document and what was found in it.

    Attributes:
        id: the document's.
        text: the document.
        mentions: ordered by start.
        name_of: gives a concept's name.
    """

    id: object
    text: str
    mentions: Sequence[Mention]
    name_of: Callable[[str], str]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the record of each mention."""
        for found in self.mentions:
            yield {
                "id": found.concept_id,
                "name": self.name_of(found.concept_id),
                "start": found.start,
                "end": found.end,
                "text": self.text[found.start : found.end],
                "negated": found.negated,
                "experiencer": found.experiencer,
            }


def _said(row: dict[str, Any]) -> str:
    """State in a word or two how a concept is mentioned."""
    parts = (["denied"] if row["negated"] else []) + (["of another"] if row["experiencer"] != "patient" else [])
    return ", ".join(parts) or "affirmed"


def as_jsonl(documents: Iterable[Annotated]) -> Iterator[str]:
    """Yield a canonical record for each document."""
    from exaid_evals.artifacts.canonical import canonical_json

    for document in documents:
        yield canonical_json({"id": document.id, "concepts": list(document.rows())})


def as_table(documents: Iterable[Annotated]) -> Iterator[str]:
    """Yield a line for each mention, and how many there are."""
    rows = [list(_COLUMNS)]
    for document in documents:
        for row in document.rows():
            shown = (document.id, f"{row['start']}-{row['end']}", row["text"], row["id"], row["name"], _said(row))
            rows.append([shortened(str(cell), _WIDEST) for cell in shown])
    yield from aligned(rows)
    yield f"{len(rows) - 1:,} mention{'' if len(rows) == 2 else 's'}"


def as_html(documents: Iterable[Annotated]) -> Iterator[str]:
    """Yield a page with every concept highlighted: denied ones struck through, those of others in another colour."""
    from exaid_evals.report.document import Document, Passage, Section, to_html

    sections = [Section(str(one.id), [Passage(list(_pieces(one)))]) for one in documents]
    yield to_html(Document("Concepts", sections))


def _pieces(document: Annotated) -> Iterator[Piece]:
    """Cut a text at the widest of overlapping mentions; the title of each names all concepts within it."""
    from exaid_evals.report.document import Piece

    position = 0
    rows = sorted(document.rows(), key=lambda row: (row["start"], -row["end"]))
    while rows:
        widest = rows[0]
        within = [row for row in rows if row["start"] < widest["end"]]
        rows = rows[len(within) :]
        end = max(row["end"] for row in within)
        yield Piece(document.text[position : widest["start"]])
        yield Piece(
            document.text[widest["start"] : end],
            label=" ".join(dict.fromkeys(row["id"] for row in within)),
            title="; ".join(dict.fromkeys(f"{row['name']} ({_said(row)})" for row in within)),
            look="denied" if widest["negated"] else "plain" if widest["experiencer"] == "patient" else "other",
        )
        position = end
    yield Piece(document.text[position:])


RENDERERS: dict[str, Callable[[Iterable[Annotated]], Iterator[str]]] = {
    "jsonl": as_jsonl,
    "table": as_table,
    "html": as_html,
}


_TEXT_WANTED = (
    "name a file that holds the text; a text itself goes to standard input: "
    "echo 'She denies fever.' | exaid-evals concepts --format table"
)
_BATCH = 256  # documents that are held at the same time


class ConceptsRequest(ExtractorRequest, JobsRequest, ConfigRequest):
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

    Offsets count code points. Every mention is listed, one within a longer name only where the text is about a disease
    or a group of patients. `negated` marks what the text denies, and `experiencer` what it says of someone other than
    the patient; measures leave out both unless metrics.yaml says otherwise. Exit status: 1 where a line is not a record
    with a text.
    """
    from exaid_evals.execution.choose import executor

    config, stop_entities = measuring_of(request)
    build = functools.partial(_Finder, config.extractor.name, config.extractor.settings, stop_entities)
    here = build()
    workers = executor(request.jobs, request.cluster)

    documents = _documents(request.file, request.kind)

    def annotated() -> Iterator[Annotated]:
        batches = iter(lambda: list(itertools.islice(documents, _BATCH)), [])
        for batch, mentions in workers.map_ordered(build, batches, here=here):
            yield from (Annotated(*document, one, here.name_of) for document, one in zip(batch, mentions, strict=True))

    for line in RENDERERS["html" if request.html else request.form](annotated()):
        click.echo(line)
    return 0


command = verb("concepts", ConceptsRequest, run)


class _Finder:
    """Finds the mentions in batches of documents, in whichever process."""

    def __init__(self, name: str, settings: Mapping[str, Any], stop_entities: frozenset[str]) -> None:
        from exaid_evals.concepts.base import AnnotatingExtractor
        from exaid_evals.concepts.registry import load_extractor

        found = load_extractor(name, settings, stop_entities=stop_entities)
        self._find: Callable[[Sequence[str]], list[tuple[Mention, ...]]] = found.mentions
        self.name_of: Callable[[str], str] = str
        if isinstance(found, AnnotatingExtractor):
            self._find, self.name_of = found.annotate, found.name_of

    def __call__(self, batch: Sequence[tuple[object, str]]) -> list[tuple[Mention, ...]]:
        return self._find([text for _, text in batch])


def _documents(file: str, kind: str) -> Iterator[tuple[object, str]]:
    """Yield the id and the text of each document of a file.

    Raises:
        DataError: it cannot be read, is not UTF-8, or a line is not a record with a text.
    """
    from exaid_evals.artifacts.hashing import content_chunks
    from exaid_evals.artifacts.jsonl import parse_line
    from exaid_evals.files import CHUNK_BYTES

    stdin = file == "-"
    where = "standard input" if stdin else file
    if not stdin and not os.path.lexists(file):  # of a whole text no Path could say so
        what = "is a text, where a file must be named" if len(file.split()) > 1 else "no such file"
        raise DataError(what, where=shortened(file, _WIDEST), remedy=_TEXT_WANTED)
    if not stdin and Path(file).is_dir():
        raise DataError(
            "is a folder, where one file must stand",
            where=file,
            remedy='write its texts into one file, {"id": …, "text": "…"} on each line; - reads standard input',
        )
    lines = _lines(iter(lambda: sys.stdin.buffer.readline(CHUNK_BYTES), b"") if stdin else content_chunks(Path(file)))
    leading = []  # up to the first line with something on it, which says what the file is
    for line in lines:
        leading.append(line)
        if line.strip():
            break
    lines = itertools.chain(leading, lines)
    if kind == "text" or (kind == "auto" and not (leading and leading[-1].lstrip().startswith(b"{"))):
        try:
            yield ("-" if stdin else Path(file).stem), b"".join(lines).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"invalid UTF-8 at byte {error.start}", where=where, remedy="save it as UTF-8") from None
        return
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        parsed = parse_line(raw.rstrip(b"\r\n"), number)
        if parsed.value is None:
            raise DataError(parsed.problem or "not a record", where=f"{where}:{number}", remedy=parsed.remedy)
        text = parsed.value.get("text")
        if not isinstance(text, str):
            raise DataError(
                "the record has no text", where=f"{where}:{number}", remedy='write {"id": …, "text": "…"} on each line'
            )
        yield parsed.value.get("id", number), text


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends, as soon as each is whole; without the mark of byte order before the first."""
    held, begun = b"", False
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield (line if begun else line.removeprefix(b"\xef\xbb\xbf")) + b"\n"
            begun = True
    if held:
        yield held if begun else held.removeprefix(b"\xef\xbb\xbf")
