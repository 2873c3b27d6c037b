"""The notebook over a campaign shows what its cells give; that of `run_eval` is run where PyTorch is.

`PYTHONPATH=evals/tests python evals/tests/examples/test_notebooks.py` runs it and writes what it gives.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

from stub_campaigns import make_campaign, shared_campaign

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "examples" / "campaign.ipynb"


def executed(folder: Path) -> Any:
    """Run the notebook in a folder that has a campaign in evals/data."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.metadata = {}
    NotebookClient(notebook, timeout=300, record_timing=False, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("image/png", None)  # its bytes are the machine's fonts'
    return notebook


def shown(notebook: Any) -> list[str]:
    """Return what each cell gives as text; objects have no address."""
    return [
        re.sub(r" at 0x\w+", "", output.get("text") or output["data"]["text/plain"])
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]


@pytest.mark.docs
def test_it_gives_what_it_shows(tmp_path: Path) -> None:
    """Every cell in order, in a kernel of its own; a table, a table and a figure."""
    import nbformat

    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "data").symlink_to(shared_campaign().root)
    expected = shown(nbformat.read(NOTEBOOK, as_version=4))
    assert len(expected) == 3
    assert shown(executed(tmp_path)) == expected


if __name__ == "__main__":
    import nbformat

    with tempfile.TemporaryDirectory() as folder:
        make_campaign(Path(folder, "evals", "data"))
        nbformat.write(executed(Path(folder)), NOTEBOOK)
