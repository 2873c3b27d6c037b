"""`notes`: summaries against clinicians' notes, and against what they were written from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, with_interval
from exaid_evals.cli.verb import measuring_of, verb
from exaid_evals.config.request import ConfigRequest, ExtractorRequest, argument, flag, option

if TYPE_CHECKING:
    from exaid_evals.factuality.notes import Judge, MeasuredNote
    from exaid_evals.factuality.support import Judged, Verdict


class NotesRequest(ExtractorRequest, ConfigRequest):
    """Which notes are measured, and how the result is shown."""

    file: str = argument("[FILE]", default="-")
    form: str = option(
        "JSON Lines with every measure and statement; a table of means and of the statements that are not supported.",
        "--format",
        default="jsonl",
        choices=("jsonl", "table"),
    )
    judge: str | None = option(
        "Have a language model judge the statements too: openai (live, recorded), replay (recordings), or your own.",
        metavar="CLIENT",
        key="summarizer.yaml:llm.client",
    )
    model: str | None = option("The judge's model, in place of the configured one.", key="summarizer.yaml:llm.model")
    max_calls: int | None = option("Stop before more requests to a live model than these.", minimum=1)
    data_dir: Path | None = option(
        "Campaign folder in whose cassettes answers are recorded.  [default: evals/data]", path={"file_okay": False}
    )
    meaning: bool = flag("Find statements in other words too, by sentence embeddings (extra meaning).")


def run(request: NotesRequest) -> int:
    """Compare summaries with clinicians' notes, and check each of their statements against what was said.

    FILE holds JSON Lines {"id", "summary", "source", "reference"}: source is the text, or list of texts, that the
    summary was written from, reference a clinician's note; one of them may be absent. Without a file, or with -,
    standard input is read. Against the reference: precision, recall and F1 of content words and values (`content`),
    of concepts (`concept`), of clinical terms (`term`), of values with their units and of dates (`value`), ROUGE-1,
    -2 and -L, and agreement of denials. Against both: the shares of statements that are supported, contradicted and
    not found, and why. Shares of nothing are null. With --meaning the shares are given a second time, as
    `not_found_by_meaning` and so on; there a statement also counts as supported where the source says the same in
    other words. With --judge a language model judges the statements too, and the agreement of both judges is
    printed on standard error.
    """
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.concepts.registry import load_extractor
    from exaid_evals.factuality.judge import Meaning
    from exaid_evals.factuality.notes import measure_note, read_note
    from exaid_evals.factuality.reference import Comparison

    config, stop = measuring_of(request)
    extractor = load_extractor(config.extractor.name, config.extractor.settings, stop_entities=stop)
    comparison = Comparison(extractor, stop)
    meaning = Meaning() if request.meaning else None

    def measured(judge: Judge | None) -> Iterator[MeasuredNote]:
        piped = request.file == "-"
        path = Path("standard input" if piped else request.file)
        for number, record in written_records(path, sys.stdin.buffer.read() if piped else None):
            yield measure_note(read_note(record, number, str(path)), comparison, meaning, judge)

    with _judge(request) as judge:
        pairs: list[tuple[Judged, Verdict]] = []
        notes = _noting(measured(judge), pairs)
        for line in _table(notes) if request.form == "table" else _jsonl(notes):
            click.echo(line)
    if request.judge is not None:
        _show_agreement(pairs)
    return 0


command = verb("notes", NotesRequest, run)


@contextmanager
def _judge(request: NotesRequest) -> Iterator[Judge | None]:
    """Yield the second judge that is asked for."""
    from exaid_evals.config.base import load_config
    from exaid_evals.config.request import campaign_of
    from exaid_evals.config.summarizer import SummarizerConfig
    from exaid_evals.factuality.judge import model_judge

    if request.judge is None:
        yield None
        return
    given = request.overrides("summarizer.yaml")
    config = load_config(SummarizerConfig, request.configs / "summarizer.yaml", given).value
    with model_judge(config, campaign_of(request.data_dir), max_calls=request.max_calls) as judge:
        yield judge


def _noting(notes: Iterator[MeasuredNote], pairs: list[tuple[Judged, Verdict]]) -> Iterator[MeasuredNote]:
    """Pass notes on, and keep what both judges say of their statements."""
    for note in notes:
        pairs += zip(note.statements, note.by_model, strict=False)
        yield note


def _show_agreement(pairs: list[tuple[Judged, Verdict]]) -> None:
    import numpy as np

    from exaid_evals.factuality.judge import judges_agreement

    kappa = judges_agreement(pairs, np.random.default_rng(42))
    equal = sum(judged.verdict is verdict for judged, verdict in pairs)
    shown = with_interval(kappa.value, kappa.low, kappa.high)
    click.echo(f"both judges agree on {equal} of {len(pairs)} statements, kappa {shown}", err=True)


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
