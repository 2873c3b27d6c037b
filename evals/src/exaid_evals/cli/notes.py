"""Summaries beside people: `notes` against clinicians' notes, `agreement` with a user's own raters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import printable, shortened, show_json, with_interval
from exaid_evals.cli.verb import measuring_of, verb
from exaid_evals.config.request import ConfigRequest, ExtractorRequest, Request, argument, flag, option
from exaid_evals.errors import DataError

if TYPE_CHECKING:
    from exaid_evals.factuality.notes import Judge, MeasuredNote
    from exaid_evals.factuality.reference import Judged, Verdict


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


def run_notes(request: NotesRequest) -> int:
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
        if not piped and not os.path.lexists(request.file):
            raise DataError("no such file", where=shortened(request.file, 40), remedy=_NOTES_WANTED)
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


_NOTES_WANTED = (
    "name a file of JSON Lines; a record itself goes to standard input: "
    """echo '{"summary": "No fever.", "source": "He has a fever."}' | exaid-evals notes --format table"""
)
notes_command = verb("notes", NotesRequest, run_notes)


@contextmanager
def _judge(request: NotesRequest) -> Iterator[Judge | None]:
    """Yield the second judge that is asked for."""
    from exaid_evals.config.base import load_config
    from exaid_evals.config.request import campaign_of
    from exaid_evals.config.variant import SummarizerConfig
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


class AgreementRequest(Request):
    """Whose agreement is asked for."""

    human: Path = option(
        "Ratings of people: CSV with a header, or JSON Lines.", required=True, path={"exists": True, "dir_okay": False}
    )
    measures: Path | None = option(
        "Numbers to hold against them, by item: what `notes` writes, a metrics file, or CSV.",
        path={"exists": True, "dir_okay": False},
    )
    level: str | None = option(
        "Of measurement.  [default: nominal for words, interval for numbers]",
        choices=("nominal", "ordinal", "interval"),
    )
    seed: int = option("Seed of the resamples.", default=42, minimum=0)
    resamples: int = option("How often items are drawn.", default=2000, minimum=100)
    json: bool = flag("Show JSON, with the confusion of every pair.")


def run_agreement(request: AgreementRequest) -> int:
    r"""Show how far raters agree: κ, Krippendorff's α, Spearman's correlation, each with a 95 % interval over items.

    --human holds a rating a line (item, rater, rating), or an item a line with a column for each rater; an empty field
    is not a rating. Ratings are numbers (also 4,5 where semicolons or tabs part the columns), or words for categories.
    κ of numbers is weighted by the square of the ranks' distance. With --measures, each measure is correlated with the
    mean rating:

    \b
        exaid-evals notes notes.jsonl > measured.jsonl
        exaid-evals agreement --human raters.csv --measures measured.jsonl

    The items on which raters differ most come last.
    """
    from exaid_evals.factuality.ratings import level_of, read_ratings, read_scores, report

    ratings = read_ratings(_records(request.human), str(request.human))
    scores = read_scores(_records(request.measures), str(request.measures)) if request.measures else {}
    level = level_of(request.level) if request.level else None
    found = report(ratings, scores, level=level, seed=request.seed, resamples=request.resamples)
    if request.json:
        show_json(found)
        return 0
    for line in _shown(found):
        click.echo(printable(line))
    return 0


agreement_command = verb("agreement", AgreementRequest, run_agreement)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield line number and record of a file of JSON Lines, or of a CSV table, known by its first character."""
    import csv
    import io
    import re

    from exaid_evals.artifacts.hashing import content_chunks
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.factuality.ratings import NAMING

    content = b"".join(content_chunks(path))
    if content.lstrip().startswith(b"{"):
        yield from written_records(path, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"invalid UTF-8 at byte {error.start}", where=str(path), remedy="save it as UTF-8") from None
    delimiter = next((mark for mark in ";\t" if mark in text.partition("\n")[0]), ",")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    decimal_comma = re.compile(r"\s*[+-]?\d*,\d+\s*" if delimiter != "," else r"(?!)")
    try:
        for row in rows:
            if None in row or None in row.values():
                raise csv.Error("has another number of fields than the header")
            yield (
                rows.line_num,
                {
                    name: cell.replace(",", ".") if name not in NAMING and decimal_comma.fullmatch(cell) else cell
                    for name, cell in row.items()
                },
            )
    except csv.Error as error:
        raise DataError(str(error), where=f"{path}:{rows.reader.line_num}", remedy="correct the line") from None


def _shown(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report's lines."""
    yield f"{found['items']} items, {len(found['raters'])} raters, {found['level']} level"
    yield f"Krippendorff's alpha  {_interval(found['alpha'])}"
    yield ""
    yield f"{'raters':<30} {'items':>5} {'equal':>6}  {'kappa':<24} Spearman"
    for pair in found["pairs"]:
        equal = "-" if pair["agreeing"] is None else f"{pair['agreeing']:.2f}"
        kappa, spearman = (_interval(pair[name]) if name in pair else "-" for name in ("kappa", "spearman"))
        yield f"{' - '.join(pair['raters']):<30} {pair['items']:>5} {equal:>6}  {kappa:<24} {spearman}"
    for pair in found["pairs"] if len(found["pairs"]) == 1 and "confusion" in found["pairs"][0] else ():
        names = [str(name) for name in pair["confusion"]["categories"]]
        yield ""
        yield f"{pair['raters'][0]} down, {pair['raters'][1]} across"
        yield f"{'':<16}" + "".join(f"{name[:10]:>11}" for name in names)
        for name, row in zip(names, pair["confusion"]["counts"], strict=True):
            yield f"{name[:16]:<16}" + "".join(f"{count:>11}" for count in row)
    if found["measures"]:
        yield ""
        yield f"{'measure':<24} {'items':>5}  Spearman with the mean rating"
        for name, one in found["measures"].items():
            yield f"{name:<24} {one['n']:>5}  {_interval(one)}"
    if found["disagreements"]:
        yield ""
        yield "raters differ most on"
        for one in found["disagreements"]:
            yield f"  {one['item']}: " + ", ".join(
                f"{name} {value if isinstance(value, str) else format(value, 'g')}"
                for name, value in one["ratings"].items()
                if value is not None
            )


def _interval(one: Mapping[str, Any]) -> str:
    return with_interval(one["value"], one["ci95_low"], one["ci95_high"])
