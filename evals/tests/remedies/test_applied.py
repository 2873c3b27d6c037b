"""What each message tells the user to do, done as it says, makes the error go away."""

from __future__ import annotations

from pathlib import Path

import pytest

from remedies.rows import Row, try_row
from remedies.tables import LONG, ROWS


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_remedy_makes_the_error_go_away(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says what to do; done as it says, the error is gone."""
    monkeypatch.chdir(tmp_path)
    try_row(row, monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("row", LONG, ids=str)
def test_the_remedy_of_a_stage_makes_its_error_go_away(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same of what needs whole stages."""
    monkeypatch.chdir(tmp_path)
    try_row(row, monkeypatch, capsys)
