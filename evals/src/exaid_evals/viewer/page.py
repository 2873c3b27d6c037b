"""The viewer's page: one HTML file that holds the campaign packed, and unpacks a case when it is opened.

Its script is plain JavaScript without a framework: it draws a few tables, one chart and one page of text, keeps its
whole state in the address, and so has nothing that a library would do for it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.report.render import fill, page
from exaid_evals.viewer.collect import Collected

if TYPE_CHECKING:
    from markupsafe import Markup

_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = (
    "elements.js", "blocks.js", "state.js", "charts.js", "tables.js", "reading.js", "timeline.js", "conversation.js",
    "updates.js", "case.js", "cases.js", "compare.js", "app.js",
)  # fmt: skip


def render(collected: Collected) -> str:
    """Return the page."""
    records = [collected.overview, *collected.cases]
    return page(
        f"{collected.overview['title']} · exaid-evals",
        shell(collected.signatures, collected.overview["stub"], sha256_structure(records)),
        "",
        style=asset("viewer.css"),
        script=script(_SCRIPTS),
        packed=[pack(record) for record in records],
    )


def shell(signatures: Sequence[str], stub: str, content: str) -> Markup:
    """Return what stands around every view: the bar above, and below what must never be out of sight.

    Args:
        signatures: of the numbers.
        stub: what is simulated; empty for nothing.
        content: hash of what the page holds, unpacked: the same wherever it was packed.
    """
    return fill("viewer/assets/shell.html", signature="; ".join(signatures), content=content, stub=stub)


def pack(record: Mapping[str, Any]) -> str:
    """Return a record as the page holds it: canonical JSON, deflated, in Base64."""
    return base64.b64encode(zlib.compress(canonical_bytes(record), 9)).decode("ascii")


def script(names: Sequence[str]) -> str:
    """Return scripts as one, whose names are nobody else's."""
    return "(() => {\n'use strict';\n" + "".join(map(asset, names)) + "})();\n"


@cache
def asset(name: str) -> str:
    """Return a file of the page's parts."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def assets_hash() -> str:
    """Return the hash of every part, which no hash of Python sources covers."""
    return sha256_structure({path.name: asset(path.name) for path in sorted(_ASSETS.iterdir())})
