"""The code of docs/python_api.md runs, in the order of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stub_campaigns import shared_campaign

PAGE = Path(__file__).parents[3] / "docs" / "python_api.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block over a small campaign; the last expression of the first is a comparison."""
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "data").symlink_to(shared_campaign().root)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    known: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    assert len(blocks) == 6
    assert {"first_sentences"} == set(known["table"].variant_id)
    assert len(known["concepts"])
    assert len(list((tmp_path / "parquet").iterdir())) == 7
