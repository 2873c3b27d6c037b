"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exaid_evals.artifacts.atomic import atomic_file, write_bytes, write_text


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    """Whoever fails while writing loses the new content, never the old, and leaves nothing behind."""
    path = tmp_path / "x.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_file(path) as stream:
            stream.write(b"ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (path.read_text(), _names(tmp_path)) == ("old", ["x.txt"])


def test_a_failing_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where the disk refuses the last step."""
    path = tmp_path / "x.txt"
    write_text(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert (path.read_text(), _names(tmp_path)) == ("old", ["x.txt"])


def test_nobody_sees_the_file_before_it_is_whole(tmp_path: Path) -> None:
    """While it is written, a listing shows only a hidden name, and the folder was made for it."""
    path = tmp_path / "new" / "folder" / "x.txt"
    with atomic_file(path) as stream:
        stream.write(b"half")
        assert not path.exists()
        assert [name.startswith(".x.txt.") for name in _names(path.parent)] == [True]
    assert path.read_bytes() == b"half"


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    """Replacing a file does not leave it private, as `mkstemp` would."""
    (tmp_path / "plain.txt").write_text("")
    write_text(tmp_path / "x.txt", "a")
    assert (tmp_path / "x.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_line_ends_are_kept(tmp_path: Path) -> None:
    r"""Text is written as UTF-8 with `\n`, on every system."""
    write_text(tmp_path / "x.txt", "é\n\r\n")
    assert (tmp_path / "x.txt").read_bytes() == b"\xc3\xa9\n\r\n"


def test_a_long_name_can_still_be_written(tmp_path: Path) -> None:
    """The temporary name must not exceed what the file system takes where the final name does not."""
    path = tmp_path / ("x" * 250)
    write_bytes(path, b"a")
    assert path.read_bytes() == b"a"
