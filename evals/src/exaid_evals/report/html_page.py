"""A page as one HTML file: no network, every text of others escaped, and a policy that allows its own script alone."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from exaid_evals.artifacts.printable import printable


def page(
    title: str,
    body: str,
    made: str,
    *,
    style: str = "",
    script: str = "",
    data: str = "",
    packed: Sequence[str] = (),
    connects: bool = False,
) -> str:
    """Return a page that asks nobody for anything: the policy allows its own style and script alone, by their hashes.

    Args:
        title: of the page.
        body: HTML, escaped by its maker.
        made: the signature, at the foot; empty for a body that shows it in a place of its own.
        style: further rules.
        script: run at the end of the page.
        data: JSON for the script; any text, it cannot end its element.
        packed: texts in Base64, found as `block-0`, `block-1`, …; the script may draw from the first while the others
            still arrive.
        connects: whether the script may ask the server that the page came from.
    """
    style = _style() + style
    allowed = f"script-src {_hash(script)}; " if script else ""
    allowed += "connect-src 'self'; " if connects else ""
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; {allowed}base-uri 'none'; form-action 'none'"
    )
    # Within a script element only `</` and `<!--` matter; as \u003c the data is the same JSON.
    held = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    blocks = [f'\n<script type="text/plain" id="block-{number}">{text}</script>' for number, text in enumerate(packed)]
    tail = f'\n<script type="application/json" id="data">{held}</script>' if data else ""
    tail += "".join(blocks[:1])
    tail += f"\n<script>{script}</script>" if script else ""
    tail += "".join(blocks[1:])
    icon = '<link rel="icon" href="data:,">\n' if connects else ""
    foot = f"<footer>{text(made)}</footer>\n" if made else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        # A browser asks a server for an icon, unless the page has one, if only an empty one.
        f"{icon}<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n"
        f"{foot}</main>{tail}\n</body>\n</html>\n"
    )


def text(value: str) -> str:
    """Return text of others as HTML that shows it."""
    return html.escape(printable(value), quote=True)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode('utf-8')).digest()).decode('ascii')}'"


@cache
def _style() -> str:
    return "\n" + Path(__file__).with_name("html_page.css").read_text(encoding="utf-8")
