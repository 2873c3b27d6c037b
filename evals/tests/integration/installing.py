"""What the tests of packaging share: the checkout, its lock files and the question whether packages can be had."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "evals" / "requirements-evals.txt"
DEV_LOCK = ROOT / "evals" / "requirements-dev.txt"
STAGES_LOCK = ROOT / "evals" / "requirements-stages.txt"
DOCS_LOCK = ROOT / "evals" / "requirements-docs.txt"
FUZZ_LOCK = ROOT / "evals" / "requirements-fuzz.txt"


def locked(lock: Path) -> dict[str, str]:
    """Return the entries of a lock file: package name → its lines, hashes included."""
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {entry.partition("==")[0]: entry for entry in entries}


def pins(lock: Path) -> dict[str, str]:
    """Return the versions of a lock file: package name → version."""
    return {name: entry.split()[0].partition("==")[2] for name, entry in locked(lock).items()}


def require_registry(environment: dict[str, str] | None = None) -> None:
    """Skip the test where pip, asked in this environment, cannot get a small package that the lock names."""
    wanted = locked(LOCK)["pluggy"].split()[0]
    with TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1"]
        asked = subprocess.run(
            [*download, f"--dest={folder}", wanted], env=environment, capture_output=True, text=True, check=False
        )
    if asked.returncode:
        pytest.skip(f"no package registry can be reached: {asked.stderr.strip().splitlines()[-1]}")
