"""The contact sheet: one HTML file with the images that have findings, filtered without a script."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.images.audit import Audit
from exaid_evals.analysis.images.checks import Finding, check_names
from exaid_evals.analysis.images.files import ImageFacts
from exaid_evals.analysis.images.opening import ImageProblemError, open_image, pillow
from exaid_evals.analysis.images.records import signature
from exaid_evals.artifacts.printable import printable

MOST_PER_CHECK = 40
_SIDE, _QUALITY = 160, 70
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --ink: #222; --faint: #666; --line: #ccc; --paper: #fff; --mark: #b34700; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #a0a0a0; --line: #444; --paper: #181818; --mark: #ff9955; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1.5rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
label { display: inline-block; border: 1px solid var(--line); border-radius: 1rem; padding: .15rem .7rem;
  margin: .15rem; cursor: pointer; }
input { position: absolute; opacity: 0; }
input:checked + label { border-color: var(--mark); color: var(--mark); font-weight: 600; }
input:focus-visible + label { outline: 2px solid var(--mark); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .8rem; margin-top: 1rem; }
figure { border: 1px solid var(--line); margin: 0; padding: .5rem; font-size: .8rem; overflow-wrap: anywhere; }
figure img, .none { display: block; width: 100%; height: 160px; object-fit: contain; background: #8884; }
.none { display: flex; align-items: center; justify-content: center; color: var(--faint); }
figure ul { margin: .3rem 0 0; padding-left: 1rem; } .high, .critical { color: var(--mark); }
.faint, footer { color: var(--faint); } footer { font: .75rem ui-monospace, monospace; margin-top: 2rem; }
"""


def render(audit: Audit) -> str:
    """Return the page. At most MOST_PER_CHECK images of each check are shown; the counts are of all."""
    counts = Counter(finding.check for findings in audit.findings for finding in findings)
    shown = _shown(audit)
    checks = [name for name in check_names(audit.settings) if counts[name]]
    hide = "".join(f"#f-{name}:checked ~ .grid figure:not(.c-{name}) {{ display: none; }}\n" for name in checks)
    n_found = sum(map(bool, audit.findings))
    title = f"Images of {audit.root.name}"
    lead = f"{len(audit.images)} images, {n_found} with findings, {len(shown)} of them shown."
    choices = _choice("all", f"all ({n_found})", checked=True)
    choices += "".join(_choice(name, f"{name.replace('_', ' ')} ({counts[name]})") for name in checks)
    cards = "\n".join(_card(audit.paths[at], audit.images[at], audit.findings[at], audit) for at in shown)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}{hide}</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
        f'<p>{_text(lead)}</p>\n<div role="group" aria-label="Findings">\n{choices}\n'
        f'<div class="grid">\n{cards}\n</div>\n'
        f"</div>\n<footer>{_text(signature(audit))}</footer>\n</body>\n</html>\n"
    )


def _shown(audit: Audit) -> list[int]:
    """Return the images to show: the first of each check, in the order of the folder."""
    left = Counter(dict.fromkeys(check_names(audit.settings), MOST_PER_CHECK))
    chosen = []
    for at, findings in enumerate(audit.findings):
        if any(left[finding.check] > 0 for finding in findings):
            chosen.append(at)
            left.subtract(finding.check for finding in findings)
    return chosen


def _choice(name: str, text: str, *, checked: bool = False) -> str:
    mark = " checked" if checked else ""
    return f'<input type="radio" name="f" id="f-{name}"{mark}><label for="f-{name}">{_text(text)}</label>\n'


def _card(path: Path, image: ImageFacts, findings: Sequence[Finding], audit: Audit) -> str:
    classes = " ".join(f"c-{finding.check}" for finding in findings)
    size = f"{image.width} × {image.height} {image.mode}" if image.width else "no size"
    items = "".join(
        f'<li class="{one.severity}">{_text(one.check.replace("_", " "))}: {_text(one.text)}</li>' for one in findings
    )
    data = None if image.problem else _thumbnail(path, audit.settings.max_pixels)
    picture = (
        '<div class="none">no picture</div>'
        if data is None
        else f'<img alt="{_text(image.name)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode("ascii")}">'
    )
    return (
        f'<figure class="{classes}">{picture}<figcaption><b>{_text(image.name)}</b><br>'
        f'<span class="faint">{_text(size)}</span><ul>{items}</ul></figcaption></figure>'
    )


def _thumbnail(path: Path, max_pixels: int) -> bytes | None:
    """Return a small JPEG of the pixels as they are stored; None where the file has changed and cannot be shown."""
    try:
        image = open_image(path.read_bytes(), max_pixels)
        image.draft("RGB", (_SIDE, _SIDE))
        small = image.convert("RGBA")
        small.thumbnail((_SIDE, _SIDE))
        page = pillow().new("RGBA", small.size, "white")
        held = io.BytesIO()
        pillow().alpha_composite(page, small).convert("RGB").save(held, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, ImageProblemError):
        return None
    return held.getvalue()


def _text(text: str) -> str:
    return html.escape(printable(text), quote=True)
