"""The code of docs/python_api.md runs, in the order of the page."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from stub_campaigns import shared_campaign

PAGE = Path(__file__).parents[3] / "docs" / "python_api.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block over a small campaign; the last expression of the first is a comparison."""
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "data").symlink_to(shared_campaign().root)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    known = runpy.run_path(str(tmp_path / "page.py"))
    assert len(blocks) == 6
    assert {"first_sentences"} == set(known["table"].variant_id)
    assert len(known["concepts"])
    assert len(list((tmp_path / "parquet").iterdir())) == 7
