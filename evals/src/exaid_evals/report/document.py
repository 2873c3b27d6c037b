"""What a report says, apart from how it looks: sections of paragraphs, lists, tables, passages and pictures.

`report.render` writes a document as Markdown or HTML. Plain strings are text of anybody and are escaped in each form;
`Marked` is prose of ours that is Markdown already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class Marked(str):
    """Text in Markdown, of ours: its signs are kept. What it holds of others has been through `markdown.escape`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list.

    Attributes:
        items: one a line.
        numbered: whether they are counted.
    """

    kind: ClassVar[str] = "items"
    items: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of texts; one of numbers with captions and signatures is a `report.base.Table`.

    Attributes:
        rows: the first is the heading; empty for no table.
        figures: whether all columns but the first hold numbers, which stand at the right.
    """

    kind: ClassVar[str] = "grid"
    rows: Sequence[Sequence[str]]
    figures: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a passage.

    Attributes:
        text: as it was written.
        label: what is said of it; empty for text that is not highlighted.
        title: the same at length, in HTML.
        look: `plain`, `denied` or `other`.
    """

    text: str
    label: str = ""
    title: str = ""
    look: str = "plain"


@dataclass(frozen=True, slots=True)
class Passage:
    """A text of anybody, line by line, with parts of it highlighted."""

    kind: ClassVar[str] = "passage"
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        title: what it shows.
        path: relative to the Markdown that shows it.
        png: its bytes, which HTML holds.
        alt: in HTML, for those who do not see it; empty takes the title.
    """

    title: str
    path: str
    png: bytes = b""
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures beside each other."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part, in which parts of their own may stand."""

    kind: ClassVar[str] = "section"
    title: str
    blocks: Sequence[Block]


Block = str | Items | Grid | Passage | Pictures | Section


@dataclass(frozen=True, slots=True)
class Document:
    """A report.

    Attributes:
        title: its heading; empty for none.
        blocks: what it says, in order.
        signature: how its numbers were made; empty for none.
        lead: whether HTML sets the paragraphs of the first section apart.
    """

    title: str
    blocks: Sequence[Block]
    signature: str = ""
    lead: bool = False
