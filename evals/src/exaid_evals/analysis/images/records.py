"""An audit as data: a record for each image, then one for the folder (`exaid.image_audit`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from exaid_evals import __version__
from exaid_evals.analysis.images.checks import check_names
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.schemas import header, require_valid

if TYPE_CHECKING:
    from exaid_evals.analysis.images.audit import Audit

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
