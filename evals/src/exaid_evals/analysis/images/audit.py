"""The audit of a folder: its journal, the findings of each image, its records and its contact sheet."""

from __future__ import annotations

import functools
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from exaid_evals import __version__
from exaid_evals.analysis.images.checks import Finding, check_names, judge
from exaid_evals.analysis.images.files import AuditSettings, ImageFacts, ImageFile, Listing, list_images
from exaid_evals.analysis.images.measure import ImageProblemError, Measurer, open_image, pillow
from exaid_evals.artifacts.atomic import Appended, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.ledger import source_hash
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.errors import DataError
from exaid_evals.execution.choose import executor
from exaid_evals.execution.local import Executor
from exaid_evals.report.document import fill, page

_FLUSH_EVERY = 64


class Journal:
    """Measures of images, appended to a file while they are made.

    An entry counts while size, time of change and this package's source are those it was made with: a file whose
    content is replaced by one of the same size and time is not measured again. It holds times, so it is not a result:
    its name starts with a dot.
    """

    def __init__(self, path: Path, limits: Mapping[str, int], *, resume: bool) -> None:
        self._path, self._resume = path, resume
        self._version = {"source": source_hash(), **limits}
        self._known: dict[str, dict[str, Any]] = {}
        self._held: list[bytes] = []

    def __enter__(self) -> Self:
        """Read what is recorded, and write it again without half a last line."""
        if self._resume and self._path.is_file():
            for line in scan_jsonl(self._path):
                entry = line.value
                if entry is not None and entry.get("version") == self._version and isinstance(entry.get("key"), str):
                    self._known[entry["key"]] = entry
        # Whoever is killed while the entries are written again still has the old ones.
        write_bytes(self._path, b"".join(canonical_bytes(entry) + b"\n" for entry in self._known.values()))
        self._file = Appended(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left."""
        self._file.append(b"".join(self._held))

    def known(self, file: ImageFile) -> ImageFacts | None:
        """Return what was measured of a file that has not changed since."""
        entry = self._known.get(file.name)
        if entry is None or entry.get("stamp") != _stamp(file):
            return None
        try:
            return ImageFacts.of_record(entry["facts"])
        except (TypeError, KeyError):
            return None

    def record(self, file: ImageFile, facts: ImageFacts) -> None:
        """Note what was measured."""
        entry = {"version": self._version, "key": file.name, "stamp": _stamp(file), "facts": facts.as_record()}
        self._held.append(canonical_bytes(entry) + b"\n")
        if len(self._held) >= _FLUSH_EVERY:
            self._file.append(b"".join(self._held))
            self._held.clear()


def _stamp(file: ImageFile) -> list[int] | None:
    try:
        status = file.path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


JOURNAL = ".measured.jsonl"
_BATCH = 16
"""Images that a worker is sent at once: one by one, sending would cost as much as measuring a small one."""


@dataclass(frozen=True)
class Audit:
    """What was found in a folder.

    Attributes:
        root: the folder.
        images: in the order of their names.
        paths: of the images, in the same order.
        findings: of the images, in the same order.
        n_others: files that are not images by their names.
        unread: folders that could not be listed, with the reason.
        settings: thresholds.
    """

    root: Path
    images: tuple[ImageFacts, ...]
    paths: tuple[Path, ...]
    findings: tuple[tuple[Finding, ...], ...]
    n_others: int
    unread: tuple[tuple[str, str], ...]
    settings: AuditSettings


class _MeasureBatch:
    def __init__(self, max_bytes: int, max_pixels: int) -> None:
        self._measure = Measurer(max_bytes, max_pixels)

    def __call__(self, files: Sequence[ImageFile]) -> list[ImageFacts]:
        return [self._measure(file) for file in files]


def audit_folder(
    root: Path,
    settings: AuditSettings,
    out: Path,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    resume: bool = False,
    listing: Listing | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Audit:
    """Audit a folder of images.

    Args:
        root: the folder.
        settings: thresholds.
        out: folder of results, in which the journal is kept.
        jobs: processes at most; what is found does not depend on it.
        cluster: where images are measured, as `execution.choose.executor` takes it; it must reach the folder.
        resume: take over what the journal has of unchanged files.
        listing: of the folder, where it was made already.
        advance: is called for each image.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    listing = _some(listing or list_images(root), root)
    limits = {"max_bytes": settings.max_bytes, "max_pixels": settings.max_pixels}
    facts: dict[str, ImageFacts] = {}
    with Journal(out / JOURNAL, limits, resume=resume) as journal:
        todo = []
        for file in listing.images:
            known = journal.known(file)
            if known is None:
                todo.append(file)
            else:
                facts[file.name] = known
                advance()
        for file, one in _measured(todo, limits, executor(jobs, cluster)):
            journal.record(file, one)
            facts[file.name] = one
            advance()
    return _judged(root, listing, tuple(facts[file.name] for file in listing.images), settings)


def _judged(root: Path, listing: Listing, images: tuple[ImageFacts, ...], settings: AuditSettings) -> Audit:
    findings = tuple(tuple(found) for found in judge(images, settings))
    paths = tuple(file.path for file in listing.images)
    return Audit(root, images, paths, findings, listing.n_others, listing.unread, settings)


def _some(listing: Listing, root: Path) -> Listing:
    if listing.images:
        return listing
    what, remedy = "holds no image", "name the folder of the images"
    if not root.is_dir():
        what, remedy = "no such folder", "check the path"
    elif listing.unread:
        what, remedy = f"{what}, and folders that cannot be listed: {len(listing.unread)}", "check its permissions"
    raise DataError(what, where=str(root), remedy=remedy)


def _measured(
    files: Sequence[ImageFile], limits: dict[str, int], workers: Executor
) -> Iterator[tuple[ImageFile, ImageFacts]]:
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    for batch, measured in workers.map_ordered(functools.partial(_MeasureBatch, **limits), batches):
        yield from zip(batch, measured, strict=True)


def look_through(root: Path, settings: AuditSettings | None = None) -> Audit:
    """Audit a folder of images at once, without a journal.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    settings = settings or AuditSettings()
    listing = _some(list_images(root), root)
    measure = Measurer(settings.max_bytes, settings.max_pixels)
    return _judged(root, listing, tuple(measure(file) for file in listing.images), settings)


_ISSUES = {
    "unreadable": "corruption",
    "truncated": "corruption",
    "decompression_bomb": "corruption",
    "tiny": "corruption",
    "odd_aspect": "corruption",
    "rotated": "rotation",
    "exif_orientation": "rotation",
}
"""Check → what it is about; another check is about what its name says."""


def audit_image_quality(image_dir: Path | str) -> list[dict[str, Any]]:
    """Return what is wrong with the images of a folder and those below it, in the order of their names.

    Returns:
        For each finding `path`, `issue` (`corruption`, `rotation`, else the check's name), `check`, `severity`, `text`.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    audit = look_through(Path(image_dir))
    return [
        {
            "path": path,
            "issue": _ISSUES.get(one.check, one.check),
            "check": one.check,
            "severity": one.severity,
            "text": one.text,
        }
        for path, findings in zip(audit.paths, audit.findings, strict=True)
        for one in findings
    ]


SCHEMA = "exaid.image_audit"
_FACTS = ("n_bytes", "sha256", "width", "height", "mode", "format", "orientation", "phash", "measures")


def signature(audit: Audit) -> str:
    """Return the line that says how the findings were made: of which images, with which thresholds."""
    content = [[image.name, image.sha256] for image in audit.images]
    settings = sha256_structure(audit.settings.model_dump(mode="json"))
    return f"exaid-evals/{__version__}|images:{short(sha256_structure(content))}|cfg:{short(settings)}"


def records(audit: Audit) -> Iterator[Mapping[str, Any]]:
    """Yield the records; each is valid under its schema.

    Raises:
        DataError: one is not, which is a mistake of ours and not of the user's.
    """
    for image, findings in zip(audit.images, audit.findings, strict=True):
        facts = image.as_record()
        record = {
            **header(SCHEMA),
            "record_type": "image",
            "path": image.name,
            **{name: facts[name] for name in _FACTS},
            "findings": [asdict(finding) for finding in findings],
        }
        require_valid(record, image.name)
        yield record
    summary = _summary(audit)
    require_valid(summary, "summary")
    yield summary


def _summary(audit: Audit) -> dict[str, Any]:
    counts = Counter(finding.check for findings in audit.findings for finding in findings)
    return {
        **header(SCHEMA),
        "record_type": "summary",
        "signature": signature(audit),
        "n_images": len(audit.images),
        "n_with_findings": sum(bool(findings) for findings in audit.findings),
        "n_other_files": audit.n_others,
        "unread_folders": [{"path": path, "reason": reason} for path, reason in audit.unread],
        "findings": {name: counts[name] for name in check_names(audit.settings)},
        "modes": dict(sorted(Counter(image.mode for image in audit.images if image.mode).items())),
        "formats": dict(sorted(Counter(image.format for image in audit.images if image.format).items())),
        "settings": audit.settings.model_dump(mode="json"),
    }


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
