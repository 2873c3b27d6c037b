"""CSV: a row per message, with the columns case_id, agent, content and perhaps times and provider_token_count.

Cells are text and nothing else: a cell that begins with `=` is what the agent said, not a formula. What a spreadsheet
writes where it took an agent's words for a formula (`#NAME?`) is reported, since the words are gone.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from exaid_evals.traces.importers.base import Reading, Spot, Utterance
from exaid_evals.traces.importers.chat import add_conversation, token_count
from exaid_evals.traces.importers.source import MAX_FILE_BYTES, Source
from exaid_evals.traces.importers.timing import TIME_KEYS, when_of

REQUIRED = ("case_id", "agent", "content")
OPTIONAL = (*TIME_KEYS, "provider_token_count")
SPREADSHEET_ERRORS = frozenset({"#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!"})
_SKIP = "correct the row, or leave out what does not map with --skip-unmapped"


class CsvImporter:
    """`--format csv`."""

    name = "csv"

    def claims(self, source: Source) -> bool:
        """Claim a table whose first line names the three columns."""
        first = source.text.split("\n", 1)[0]
        return any(set(REQUIRED) <= set(_header(first, delimiter)) for delimiter in ",;\t")

    def read(self, source: Source) -> Reading:
        """Read every conversation of the table; its rows need not stand together."""
        reading = Reading()
        first = source.text.split("\n", 1)[0]
        delimiter = max(",;\t", key=lambda mark: len(set(REQUIRED) & set(_header(first, mark))))
        header = _header(first, delimiter)
        missing = [name for name in REQUIRED if name not in header]
        repeated = [name for name, count in Counter(header).items() if count > 1 and name in (*REQUIRED, *OPTIONAL)]
        if missing or repeated:
            what = f"the column {missing[0]!r} is missing" if missing else f"the column {repeated[0]!r} is a duplicate"
            reading.damage(Spot(1), what, remedy=f"columns are {', '.join(REQUIRED)} and perhaps {', '.join(OPTIONAL)}")
            return reading
        ignored = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
        if ignored:
            reading.notices.append(f"columns that mean nothing here: {', '.join(map(repr, ignored))}")
        by_case: dict[str, tuple[Spot, list[Utterance | None]]] = {}
        for line, cells in _rows(source.text, delimiter, reading):
            spot = Spot(line)
            if len(cells) != len(header):
                what = f"{len(cells)} cells under {len(header)} columns"
                reading.damage(spot, what, remedy="quote cells that hold the delimiter or a newline")
                continue
            row = dict(zip(header, cells, strict=True))
            _, said = by_case.setdefault(row["case_id"].strip(), (spot, []))
            said.append(_utterance(row, spot, reading))
        for raw_id, (spot, said) in by_case.items():
            add_conversation(reading, raw_id or None, spot, said)
        return reading


def _header(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in cells]


def _rows(text: str, delimiter: str, reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the header with the line on which it begins."""
    before = csv.field_size_limit(MAX_FILE_BYTES)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        next(rows, None)
        line = rows.line_num + 1
        for cells in rows:
            if cells:
                yield line, cells
            line = rows.line_num + 1
    except csv.Error as error:
        reading.damage(Spot(rows.line_num), f"no table ({error})", remedy="quote cells, and double quotes inside them")
    finally:
        csv.field_size_limit(before)


def _utterance(row: dict[str, str], spot: Spot, reading: Reading) -> Utterance | None:
    agent, content = row["agent"].strip(), row["content"]
    if not agent:
        reading.unmapped(spot.below("agent"), "is empty", kind="no speaker", remedy=_SKIP)
        return None
    if not content.strip():
        reading.unmapped(spot.below("content"), "is empty", kind="empty message", remedy=_SKIP)
        return None
    if content.strip() in SPREADSHEET_ERRORS:
        what = f"{content.strip()} is a spreadsheet's error in place of what was said"
        reading.unmapped(spot.below("content"), what, kind="spreadsheet error", remedy="export the column as text")
        return None
    raw_count = row.get("provider_token_count", "").strip()
    count = int(raw_count) if raw_count.isascii() and raw_count.isdigit() and len(raw_count) < 17 else raw_count or None
    return Utterance(
        speaker=agent,
        named=True,
        content=content,
        spot=spot,
        when=when_of(row, content, spot, reading),
        provider_token_count=token_count(count, spot.below("provider_token_count"), reading),
    )
