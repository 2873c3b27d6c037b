"""Documents as Markdown and HTML by templates: text of others is shown and obeyed by nothing.

A page is one HTML file that asks no network for anything; its policy allows its own style and script alone, by their
hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.redaction import printable
from exaid_evals.report.document import Document, Marked
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
