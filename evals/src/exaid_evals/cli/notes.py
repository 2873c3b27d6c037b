"""`notes`: summaries against clinicians' notes, and against what they were written from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import ConfigRequest, ExtractorRequest, argument, flag, option

if TYPE_CHECKING:
    from exaid_evals.factuality.notes import MeasuredNote


@dataclass(frozen=True, kw_only=True)
class NotesRequest(ExtractorRequest, ConfigRequest):
    """Which notes are measured, and how the result is shown."""

    file: str = argument("[FILE]", default="-")
    form: str = option(
        "JSON Lines with every measure and statement; a table of means and of the statements that are not supported.",
        "--format",
        default="jsonl",
        choices=("jsonl", "table"),
    )
    meaning: bool = flag("Find statements in other words too, by sentence embeddings (extra meaning).")


def run(request: NotesRequest) -> int:
    """Compare summaries with clinicians' notes, and check each of their statements against what was said.

    FILE holds JSON Lines {"id", "summary", "source", "reference"}: source is the text, or list of texts, that the
    summary was written from, reference a clinician's note; either may be absent. Without a file, or with -, standard
    input is read. Against the reference: precision, recall and F1 of content words and values (`content`), of concepts
    (`concept`), of clinical terms (`term`), of values with their units and of dates (`value`), ROUGE-1, -2 and -L, and
    agreement of denials. Against both: the shares of statements that are supported, contradicted and not found, and
    why. Shares of nothing are null. With --meaning the shares are given a second time, as `not_found_by_meaning`
    and so on, where a statement counts as supported whose words are not found, but of which a source says the same.
    """
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.concepts.registry import load_extractor
    from exaid_evals.concepts.stop_entities import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.factuality.meaning import Meaning
    from exaid_evals.factuality.notes import measure_note, read_note
    from exaid_evals.factuality.reference import Comparison

    config = load_config(MetricsConfig, request.configs / "metrics.yaml", request.overrides("metrics.yaml")).value
    stop = read_stop_entities(request.configs / config.stop_entities)
    extractor = load_extractor(config.extractor.name, config.extractor.settings, stop_entities=stop)
    comparison = Comparison(extractor, stop)
    meaning = Meaning() if request.meaning else None

    def measured() -> Iterator[MeasuredNote]:
        piped = request.file == "-"
        path = Path("standard input" if piped else request.file)
        for number, record in written_records(path, sys.stdin.buffer.read() if piped else None):
            yield measure_note(read_note(record, number, str(path)), comparison, meaning)

    for line in _table(measured()) if request.form == "table" else _jsonl(measured()):
        click.echo(line)
    return 0


command = verb("notes", NotesRequest, run)


def _jsonl(notes: Iterator[MeasuredNote]) -> Iterator[str]:
    from exaid_evals.artifacts.canonical import canonical_json

    for note in notes:
        yield canonical_json(note.to_record())


def _table(notes: Iterator[MeasuredNote]) -> Iterator[str]:
    """Yield the mean of each measure over the notes that define it, then what is not supported."""
    every = list(notes)
    names = dict.fromkeys(name for note in every for name in note.measures)
    yield f"{'measure':<20} {'mean':>7} {'notes':>6}"
    for name in names:
        values = [value for note in every if (value := note.measures.get(name)) is not None]
        mean = f"{sum(values) / len(values):.3f}" if values else "-"
        yield f"{name:<20} {mean:>7} {len(values):>6}"
    for note in every:
        for one in note.statements:
            if one.reason:
                yield printable(
                    f"{note.id}: {one.verdict.value.replace('_', ' ')}: {one.statement.text} ({one.reason})"
                )
