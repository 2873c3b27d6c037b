"""The examples: a project's own `cli` and `utils` names for this package's training and evaluation, and a notebook."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from docs.console import NEEDS_TORCH, ROOT, shell_of  # noqa: E402
from docs.page import check_commands  # noqa: E402

FOLDER = ROOT / "examples" / "cli_and_utils"


NOTEBOOK = ROOT / "examples" / "run_eval.ipynb"


def test_the_notebook_prints_what_it_shows() -> None:
    """Every cell in order, in one namespace."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) == 3
    namespace: dict[str, object] = {}
    for cell in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec("".join(cell["source"]), namespace)  # noqa: S102 - the notebook is ours
        shown = "".join(line for output in cell["outputs"] for line in output["text"])
        assert printed.getvalue() == shown


@pytest.mark.slow
def test_the_tutorial_of_a_model_of_ones_own(tmp_path: Path) -> None:
    """Its script, and what its commands print."""
    check_commands((ROOT / NEEDS_TORCH).read_text(encoding="utf-8"), shell_of(NEEDS_TORCH, tmp_path))


def called(data: Path, *arguments: str) -> str:
    """Run Python in the folder, and return what it prints."""
    environment = {**os.environ, "EXAID_DATA_DIR": str(data), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_names_can_be_imported(tmp_path: Path) -> None:
    """`utils.training.eval_runner` has the one call and the top-k accuracy, five by default."""
    script = (
        "import torch\n"
        "from utils.training.eval_runner import run_eval, compute_topk_accuracy\n"
        "print(compute_topk_accuracy(torch.eye(7), torch.arange(7)), callable(run_eval))"
    )
    assert called(tmp_path, "-c", script) == "1.0 True\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vision", "text"])
def test_the_commands_of_its_page_train(name: str, tmp_path: Path) -> None:
    """`python -m cli.run_training` with the example's own configurations, for an epoch."""
    assert f"--config configs/example_train_{name}.json" in (FOLDER / "README.md").read_text()
    command = ["-m", "cli.run_training", "--config", f"configs/example_train_{name}.json", "--epochs", "1"]
    assert called(tmp_path, *command).startswith("epoch 1/1  ")
    assert len(list((tmp_path / "training").glob("*/results_42/summary.json"))) == 1
