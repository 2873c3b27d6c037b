"""What a row of the tables is: an error, its remedy, and the remedy applied."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.cli.main import run
from exaid_evals.errors import ExaidError
from remedies.texts import pattern
from stub_campaigns import shared_campaign

Does = str | Callable[[], Any]
Content = str | bytes | None


@dataclass(frozen=True)
class Row:
    """An error and its remedy; all of it happens in an empty folder.

    Attributes:
        remedy: its template, as the source has it, with `{}` for each value that is put in.
        wrong: what fails: a command as it is typed, or a call.
        right: the same as the remedy corrects it; None where it stays as it was.
        files, then: what lies there before, and what the remedy makes of it; None removes a file.
        before: what else is done before.
        does: what the remedy says is to be done.
        data: whether a finished campaign lies in `data`.
        environment: what the remedy sets.
        leaves: the exit status of the last command: 3 where the remedy goes on without what failed.
    """

    remedy: str
    wrong: Does
    right: Does | None = None
    files: Mapping[str, Content] = field(default_factory=dict)
    then: Mapping[str, Content] = field(default_factory=dict)
    before: Callable[[], Any] = lambda: None
    does: tuple[Does, ...] = ()
    data: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    leaves: int = 0

    def __str__(self) -> str:
        """Name the row in the list of tests."""
        return f"{self.wrong.split()[0]}: {self.remedy}" if isinstance(self.wrong, str) else self.remedy


def file(remedy: str, reads: Does, name: str, wrong: Content, right: Content, **more: Any) -> Row:
    """Return the row of a file with a fault that the remedy says how to mend."""
    return Row(remedy, reads, files={name: wrong}, then={name: right}, **more)


def try_row(row: Row, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Provoke the error in the current folder, find its remedy, apply it, and see the error gone."""
    if row.data:
        shutil.copytree(shared_campaign().root, "data")
    write(row.files)
    row.before()
    said = provoke(row.wrong, capsys)
    assert any(pattern(row.remedy).search(one) for one in said), f"{row.remedy!r} is not in {said}"
    write(row.then)
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    for step in (*row.does, row.wrong if row.right is None else row.right):
        if isinstance(step, str):
            status = run(shlex.split(step))
            assert status in (0, row.leaves), f"{step}: {capsys.readouterr()}"
        else:
            step()


def provoke(wrong: Does, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the remedies of the errors that something ends in."""
    if isinstance(wrong, str):
        status = run(shlex.split(wrong))
        reported = capsys.readouterr()
        assert status in (1, 2, 3), reported
        return [" ".join(text.split()) for text in reported]
    with pytest.raises(ExaidError) as caught:
        wrong()
    return [part.remedy or "" for part in caught.value.parts] + [str(caught.value)]


def write(files: Mapping[str, Content]) -> None:
    """Write, change or remove files below the current folder."""
    for name, content in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
