"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from exaid_evals.artifacts.atomic import atomic_file, remove_leftovers, write_bytes, write_text


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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_the_system_refuses_names_the_file_that_was_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The temporary name means nothing to a user, and a full disk comes without any name."""

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="cannot be written: ") as caught:
        write_text(tmp_path / "x.txt", "new")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "x.txt"))


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    """The error is of the file that was to be written, whatever stands in its way."""
    (tmp_path / "a").write_text("")
    with pytest.raises(OSError, match="cannot be written") as caught:
        write_text(tmp_path / "a" / "x.txt", "new")
    assert caught.value.filename == str(tmp_path / "a" / "x.txt")


def test_errors_of_others_stay_as_they_are(tmp_path: Path) -> None:
    """What fails inside the block, about another file, is not blamed on this one."""
    with pytest.raises(FileNotFoundError) as caught, atomic_file(tmp_path / "x.txt"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")


def test_only_leftovers_are_removed(tmp_path: Path) -> None:
    """What a killed writer left has a name of one exact form; nothing else is touched, nor is a missing folder."""
    kept = [".x.jsonl.tmp", "x.0123abcd.tmp", ".x.0123abc.tmp", ".x.0123ABCD.tmp", ".x.0123abcd.tmp~"]
    for name in [*kept, ".case-1.jsonl.gz.0123abcd.tmp"]:
        (tmp_path / name).write_text("")
    (tmp_path / ".folder.0123abcd.tmp").mkdir()
    remove_leftovers(tmp_path, tmp_path / "missing")
    assert _names(tmp_path) == sorted([*kept, ".folder.0123abcd.tmp"])
