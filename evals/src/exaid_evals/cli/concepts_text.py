"""How `concepts` writes what was found: for programs, as a table, as a page."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from exaid_evals.cli.display import printable

if TYPE_CHECKING:
    from exaid_evals.concepts.base import Mention

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
    """Say in a word or two how a concept is mentioned."""
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
            rows.append([_cut(printable(str(cell))) for cell in shown])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    yield f"{len(rows) - 1:,} mention{'' if len(rows) == 2 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


_STYLE = """body { font: 16px/1.6 system-ui, sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }
pre { white-space: pre-wrap; font: inherit }
mark { background: #cfe8cf; border-radius: 3px; padding: 0 2px }
mark.denied { background: #f3cccc; text-decoration: line-through }
mark.other { background: #dcdcf0 }
sub { color: #444; font-size: 70% }"""


def as_html(documents: Iterable[Annotated]) -> Iterator[str]:
    """Yield a page with every concept highlighted: denied ones struck through, those of others in another colour."""
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Concepts</title><style>{_STYLE}</style>'
    for document in documents:
        yield f"<h2>{html.escape(printable(str(document.id)))}</h2><pre>{_highlighted(document)}</pre>"
    yield "</html>"


def _highlighted(document: Annotated) -> str:
    """Mark the widest of overlapping mentions; its title names all concepts within it."""
    parts, position = [], 0
    rows = sorted(document.rows(), key=lambda row: (row["start"], -row["end"]))
    while rows:
        widest = rows[0]
        within = [row for row in rows if row["start"] < widest["end"]]
        rows = rows[len(within) :]
        end = max(row["end"] for row in within)
        title = "; ".join(dict.fromkeys(f"{row['name']} ({_said(row)})" for row in within))
        kind = "denied" if widest["negated"] else "" if widest["experiencer"] == "patient" else "other"
        parts += [
            html.escape(document.text[position : widest["start"]]),
            f'<mark class="{kind}" title="{html.escape(title)}">',
            html.escape(document.text[widest["start"] : end]),
            f"<sub>{html.escape(' '.join(dict.fromkeys(row['id'] for row in within)))}</sub></mark>",
        ]
        position = end
    return "".join([*parts, html.escape(document.text[position:])])


RENDERERS: dict[str, Callable[[Iterable[Annotated]], Iterator[str]]] = {
    "jsonl": as_jsonl,
    "table": as_table,
    "html": as_html,
}
