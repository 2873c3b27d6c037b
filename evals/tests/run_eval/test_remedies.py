"""What run_eval tells the user to do, done as it says, makes the error go away."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from remedies import of_run_eval, of_run_eval_files, of_run_eval_processes, of_run_eval_tasks
from remedies.rows import Row, try_row
from remedies.texts import remedies

ROWS = [*of_run_eval.ROWS, *of_run_eval_files.ROWS, *of_run_eval_tasks.ROWS, *of_run_eval_processes.ROWS]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_remedy_makes_the_error_go_away(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says what to do; done as it says, the error is gone."""
    monkeypatch.chdir(tmp_path)
    try_row(row, monkeypatch, capsys)


def test_each_row_is_of_a_remedy_that_there_is() -> None:
    """A text that was changed leaves no row behind."""
    assert {row.remedy for row in ROWS} <= set(remedies())
