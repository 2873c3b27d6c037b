"""Scripts of users that log to a tracker, run as they would run them; and rows as W&B holds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def script(text: str, folder: Path, *arguments: str, **environment: str) -> None:
    """Run a script in a folder, in a process of its own."""
    path = folder / "train.py"
    path.write_text(text, encoding="utf-8")
    subprocess.run(
        [sys.executable, str(path), *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, **environment},
    )


RUN_PATH = "me/digits/r1"


def row(step: int, **metrics: Any) -> dict[str, Any]:
    """Return a row of history; a step takes two seconds."""
    return {"_step": step, "_timestamp": 1000.0 + 2 * step, "_runtime": 2.0 * step, **metrics}


def rows(steps: range) -> list[dict[str, Any]]:
    """Return rows with one metric."""
    return [row(step, loss=1 / (step + 1)) for step in steps]
