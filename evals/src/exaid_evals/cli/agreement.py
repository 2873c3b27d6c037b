"""`agreement`: how far a user's own raters agree with one another, and measures with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from exaid_evals.cli.display import printable, show_json, with_interval
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import Request, flag, option


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


def run(request: AgreementRequest) -> int:
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


command = verb("agreement", AgreementRequest, run)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield line number and record of a file of JSON Lines, or of a CSV table, known by its first character."""
    import csv
    import io
    import re

    from exaid_evals.artifacts.hashing import content_chunks
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.errors import DataError
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
