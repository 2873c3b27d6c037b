"""Short ways to write files, change them, and see what the validator finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.validation.base import Surroundings
from exaid_evals.validation.file import check_file
from exaid_evals.validation.targets import Target, campaign_targets
from factories import Record

Change = Callable[[list[Any]], object]


def found_in(path: Path) -> list[tuple[int, str]]:
    """Return line and text of everything that is wrong with a file."""
    report = check_file(Target(str(path)), Surroundings(), keep=100)
    return [(finding.line, finding.what) for finding in report.findings]


def found_in_campaign(campaign: Campaign) -> list[tuple[str, int, str]]:
    """Return file, line and text of everything that is wrong in a campaign."""
    surroundings = Surroundings()
    reports = [check_file(target, surroundings, keep=100) for target in campaign_targets(campaign)]
    return sorted((report.path.name, finding.line, finding.what) for report in reports for finding in report.findings)


def found_after(path: Path, records: Sequence[Record], change: Change) -> list[tuple[int, str]]:
    """Write records, changed, and return what is wrong with the file."""
    changed: list[Any] = list(records)
    change(changed)
    write_jsonl(path, changed)
    return found_in(path)


def rewrite(path: Path, change: Change) -> None:
    """Change the records of a file."""
    records: list[Any] = read_jsonl(path)
    change(records)
    write_jsonl(path, records)
