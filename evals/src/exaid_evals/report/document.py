"""The one model of a report: sections of paragraphs, lists, tables, passages and pictures, as Markdown and as HTML.

Templates write both. Plain strings are text of anybody, shown and obeyed by nothing; `Marked` is prose of ours that is
Markdown already. A page is one HTML file that asks no network for anything; its policy allows its own style and script
alone, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from exaid_evals.artifacts.redaction import printable
from exaid_evals.report.formats.markdown import escape_paragraph

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_PACKAGE = Path(__file__).parents[1]
_TEMPLATES = "report/templates"
TEMPLATES = _PACKAGE / _TEMPLATES
"""What pages are filled from, and their common style."""


def to_markdown(document: Document) -> str:
    """Return a document in Markdown."""
    made = " ".join(document.signature.replace("`", "").split())
    template = _environment(_markdown_text).get_template(f"{_TEMPLATES}/document.md.jinja")
    return template.render(document=document, made=made).strip() + "\n"


def to_html(document: Document) -> str:
    """Return a document as a page."""
    return page(document.title, to_fragment(document).rstrip("\n"), document.signature)


def to_fragment(document: Document) -> Markup:
    """Return what a document says in HTML, to stand in somebody else's page."""
    return fill(f"{_TEMPLATES}/document.html.jinja", document=document)


def page(
    title: str,
    body: Markup,
    made: str,
    *,
    style: str = "",
    script: str = "",
    data: str = "",
    packed: Sequence[str] = (),
    connects: bool = False,
) -> str:
    """Return a page that asks nobody for anything.

    Args:
        title: of the page.
        body: HTML, as `fill` returns it; a string would be shown and not obeyed.
        made: the signature, at the foot; empty for a body that shows it in a place of its own.
        style: further rules.
        script: run at the end of the page.
        data: JSON for the script; any text, it cannot end its element.
        packed: texts in Base64, found as `block-0`, `block-1`, …; the script may draw from the first while the others
            still arrive.
        connects: whether the script may ask the server that the page came from.
    """
    style = "\n" + _style() + style
    allowed = f"script-src {_hash(script)}; " if script else ""
    allowed += "connect-src 'self'; " if connects else ""
    return fill(
        f"{_TEMPLATES}/page.html.jinja",
        title=title,
        body=body,
        made=made,
        style=style,
        script=script,
        # Within a script element only `</` and `<!--` matter; as \u003c the data is the same JSON.
        data=data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
        packed=packed,
        connects=connects,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; {allowed}base-uri 'none'; "
        "form-action 'none'",
    )


def fill(template: str, **values: Any) -> Markup:
    """Return an HTML template of this package, filled: every value is text to be shown.

    Args:
        template: its path inside the package.
        **values: what its names stand for.
    """
    from markupsafe import Markup

    # The template has escaped every value.
    return Markup(_environment(_html_text).get_template(template).render(values))  # noqa: S704 # nosec B704


def _html_text(value: str) -> str:
    return html.escape(printable(value), quote=True)


def _markdown_text(value: str) -> str:
    return value if isinstance(value, Marked) else escape_paragraph(printable(value)).replace("![", "!\\[")


@cache
def _environment(shown: Callable[[str], str]) -> Environment:
    """Return the templates whose values become text by a rule of ours; jinja2's own escaping finds nothing left."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=partial(_finalize, shown),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["lines"] = partial(_lines, shown)
    made.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    return made


def _finalize(shown: Callable[[str], str], value: object) -> Markup:
    from markupsafe import Markup

    if isinstance(value, Markup):
        return value
    return Markup(shown(value if isinstance(value, str) else str(value)))  # noqa: S704 # nosec B704 - `shown` escapes


def _lines(shown: Callable[[str], str], text: str) -> Markup:
    from markupsafe import Markup

    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return Markup("\n".join(map(shown, lines)))  # noqa: S704 # nosec B704 - `shown` escapes


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def _style() -> str:
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


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
