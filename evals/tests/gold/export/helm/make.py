"""Makes the golden run of HELM with its own small scenario and model: no network, no key.

Needs: pip install crfm-helm (made with 0.5.16).

    python make.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = "simple_mcqa:model=simple_model1"
KEPT = ("per_instance_stats.json", "run_spec.json")


def main() -> None:
    """Evaluate two instances."""
    with tempfile.TemporaryDirectory() as folder:
        entry = ["--run-entries", "simple_mcqa:model=simple/model1", "--suite", "s", "-m", "2", "--disable-cache"]
        subprocess.run(["helm-run", *entry, "-o", folder], check=True, cwd=folder)
        for name in KEPT:
            shutil.copy(Path(folder) / "runs" / "s" / RUN / name, HERE / name)


if __name__ == "__main__":
    main()
