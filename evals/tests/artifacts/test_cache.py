"""Hashes kept from call to call: nothing is read twice, and no change is overlooked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from exaid_evals.artifacts import cache as module
from exaid_evals.artifacts.cache import known_hashes
from exaid_evals.artifacts.hashing import sha256_bytes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of one file, of which hashes are kept at once."""
    monkeypatch.setenv("EXAID_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "WORTH", 1)
    monkeypatch.setattr(module, "_SETTLED_S", -1)
    made = tmp_path / "folder"
    made.mkdir()
    (made / "a").write_bytes(b"old")
    return made


def hash_of(path: Path) -> str:
    """Return a file's hash, as a call of its own has it."""
    with known_hashes(path.parent, 1) as hashes:
        return hashes.of(path)


def test_what_has_not_changed_is_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call opens no file."""
    before = hash_of(folder / "a")
    monkeypatch.setattr(module, "sha256_file", lambda path: pytest.fail(f"{path} was read"))
    assert hash_of(folder / "a") == before == sha256_bytes(b"old")


def test_a_change_is_seen_that_hides_itself(folder: Path) -> None:
    """Of the same size, with the time of before put back."""
    path = folder / "a"
    hash_of(path)
    before = path.stat()
    time.sleep(0.05)  # more than a tick of the file system's clock
    path.write_bytes(b"new")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert hash_of(path) == sha256_bytes(b"new")


def test_nothing_is_kept_of_a_file_that_has_just_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could change again within the same tick."""
    monkeypatch.setattr(module, "_SETTLED_S", 60)
    hash_of(folder / "a")
    read: list[Path] = []
    monkeypatch.setattr(module, "sha256_file", lambda path: (read.append(path), "again")[1])
    assert hash_of(folder / "a") == "again"
    assert read == [folder / "a"]


def test_facts_that_are_asked_for_are_read(folder: Path) -> None:
    """A hash that is known without them does not do; afterwards both are."""
    hash_of(folder / "a")
    with known_hashes(folder, 1) as hashes:
        assert hashes.read(folder / "a", lambda: ("digest", {"x": 1}), facts=True) == ("digest", {"x": 1})
    with known_hashes(folder, 1) as hashes:
        found = hashes.read(folder / "a", lambda: pytest.fail("was read"), facts=True)
    assert found == ("digest", {"x": 1})


def test_few_files_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the number from which it is worth it, the folder of caches is not even made."""
    monkeypatch.setenv("EXAID_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "a").write_bytes(b"x")
    assert hash_of(tmp_path / "a") == sha256_bytes(b"x")
    assert not (tmp_path / "cache").exists()


def test_what_is_kept_is_the_users_alone(tmp_path: Path) -> None:
    """Folders and files that the cache makes are open to nobody else, whichever is made first."""
    path = tmp_path / "cache" / "concepts" / "a.json"
    module.write(path, {"text": "private"})
    assert module.read(path) == {"text": "private"}
    assert [one.stat().st_mode & 0o077 for one in (path, path.parent, path.parent.parent)] == [0, 0, 0]
