"""Makes the golden evaluation with `run-eval` itself: a model of bytes that ships, on the text that ships.

Needs the extra `torch`. The predictions are not kept: they are large, and an export reads none of them.

    python make.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Evaluate."""
    shutil.rmtree(HERE / "text", ignore_errors=True)
    config = HERE.parents[3] / "configs/run_eval/text_tiny.json"
    command = [sys.executable, "-m", "exaid_evals", "run-eval", "--config", str(config), "--no-page"]
    subprocess.run([*command, "--out", str(HERE / "text")], check=True)
    (HERE / "text/val_predictions.csv").unlink()


if __name__ == "__main__":
    main()
