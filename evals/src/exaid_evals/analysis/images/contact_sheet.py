"""The contact sheet: one HTML file with the images that have findings, filtered without a script."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.images.audit import Audit, signature
from exaid_evals.analysis.images.checks import Finding, check_names
from exaid_evals.analysis.images.files import ImageFacts
from exaid_evals.analysis.images.measure import ImageProblemError, open_image, pillow
from exaid_evals.report.render import fill, page

MOST_PER_CHECK = 40
_SIDE, _QUALITY = 160, 70
_STYLE = """
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
.faint { color: var(--faint); }
"""


def render(audit: Audit) -> str:
    """Return the page. At most MOST_PER_CHECK images of each check are shown; the counts are of all."""
    counts = Counter(finding.check for findings in audit.findings for finding in findings)
    shown = _shown(audit)
    checks = [name for name in check_names(audit.settings) if counts[name]]
    hide = "".join(f"#f-{name}:checked ~ .grid figure:not(.c-{name}) {{ display: none; }}\n" for name in checks)
    n_found = sum(map(bool, audit.findings))
    title = f"Images of {audit.root.name}"
    body = fill(
        "analysis/images/contact_sheet.html.jinja",
        title=title,
        lead=f"{len(audit.images)} images, {n_found} with findings, {len(shown)} of them shown.",
        choices=[("all", f"all ({n_found})"), *((name, f"{_words(name)} ({counts[name]})") for name in checks)],
        cards=[_card(audit.paths[at], audit.images[at], audit.findings[at], audit) for at in shown],
    )
    return page(title, body, signature(audit), style=_STYLE + hide)


def _shown(audit: Audit) -> list[int]:
    """Return the images to show: the first of each check, in the order of the folder."""
    left = Counter(dict.fromkeys(check_names(audit.settings), MOST_PER_CHECK))
    chosen = []
    for at, findings in enumerate(audit.findings):
        if any(left[finding.check] > 0 for finding in findings):
            chosen.append(at)
            left.subtract(finding.check for finding in findings)
    return chosen


def _card(path: Path, image: ImageFacts, findings: Sequence[Finding], audit: Audit) -> dict[str, object]:
    return {
        "classes": " ".join(f"c-{finding.check}" for finding in findings),
        "name": image.name,
        "size": f"{image.width} × {image.height} {image.mode}" if image.width else "no size",
        "items": [(one.severity, f"{_words(one.check)}: {one.text}") for one in findings],
        "jpeg": None if image.problem else _thumbnail(path, audit.settings.max_pixels),
    }


def _thumbnail(path: Path, max_pixels: int) -> bytes | None:
    """Return a small JPEG of the pixels as they are stored; None where the file has changed and cannot be shown."""
    try:
        image = open_image(path.read_bytes(), max_pixels)
        image.draft("RGB", (_SIDE, _SIDE))
        small = image.convert("RGBA")
        small.thumbnail((_SIDE, _SIDE))
        ground = pillow().new("RGBA", small.size, "white")
        held = io.BytesIO()
        pillow().alpha_composite(ground, small).convert("RGB").save(held, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, ImageProblemError):
        return None
    return held.getvalue()


def _words(check: str) -> str:
    return check.replace("_", " ")
