"""Scripts of users that log to a tracker, run as they would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


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
