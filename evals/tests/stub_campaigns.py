"""Real campaigns of a few synthetic cases, made by the stages themselves, and ways to spoil a copy of one."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from sharing import shared_folder

ARGUMENTS = ("--stub", "--source", "small_cases:load", "--jobs", "1", "--n-cases", "12")


def make_campaign(folder: Path, *, limit: int = 2) -> Campaign:
    """Run every stage over the first cases of the small source."""
    assert run(["reproduce", *ARGUMENTS, "--limit", str(limit), "--data-dir", str(folder)]) == 0
    return Campaign(folder.resolve())


def shared_campaign() -> Campaign:
    """Return a campaign of two cases, made once in a test run; whoever changes anything takes a copy."""
    return Campaign(shared_folder("campaign", lambda folder: make_campaign(folder / "data")).resolve() / "data")


def shared_seeds() -> Campaign:
    """Return a campaign with two more beside it, of other seeds, and an export and a paper over them; made once too."""
    return Campaign(shared_folder("seeds", _make_seeds).resolve() / "data")


def _make_seeds(folder: Path) -> None:
    arguments = ["paper", *ARGUMENTS, "--limit", "2", "--seeds", "1 2", "--data-dir", str(folder / "data")]
    assert run(arguments) == 0


def copy_of(campaign: Campaign, folder: Path) -> Campaign:
    """Return a copy of a campaign, to be spoilt."""
    shutil.copytree(campaign.root, folder)
    return Campaign(folder.resolve())


def change_record(path: Path, line: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Change one record of a file, lines counted from 1."""
    records = read_jsonl(path)
    change(records[line - 1])
    write_jsonl(path, records)


def change_byte(path: Path, old: bytes, new: bytes) -> None:
    """Replace the first occurrence of some bytes in a file's content, gzipped or not."""
    packed = path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert content.count(old) >= 1
    changed = content.replace(old, new, 1)
    path.write_bytes(gzip.compress(changed, mtime=0) if packed else changed)


def repack(path: Path) -> None:
    """Pack a gzipped file anew: another level, a time and another header, and the same content."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=os.getpid()))


def records_in(page: str) -> list[dict[str, Any]]:
    """Unpack what a page holds: the overview, then the cases."""
    packed = re.findall(r'<script type="text/plain" id="block-\d+">([A-Za-z0-9+/=]*)</script>', page)
    return [json.loads(zlib.decompress(base64.b64decode(one))) for one in packed]
