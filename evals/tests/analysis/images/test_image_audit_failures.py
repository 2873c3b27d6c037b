"""What an audit of images does where the system refuses, or where it is killed in the middle."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from exaid_evals.analysis.images.audit import JOURNAL
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of six images, three of them below."""
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(6):
        pixels = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / ("sub" if number % 2 else ".") / f"{number}.png")
    return root


def deny_listing(monkeypatch: pytest.MonkeyPatch, denied: Path) -> None:
    """Refuse to list a folder, as the system does to all but root."""
    listing = os.scandir

    def scandir(path: Any = ".") -> Iterator[os.DirEntry[str]]:
        if Path(path) == denied:
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_is_audited(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3; the summary names the folder, and is valid; a finding that CI asked for comes first (1)."""
    deny_listing(monkeypatch, folder / "sub")
    out = tmp_path / "out"
    assert run(["audit-images", str(folder), "--out", str(out)]) == 3
    assert "sub: cannot be listed (Permission denied)" in capsys.readouterr().err
    *images, summary = read_jsonl(out / "images.jsonl")
    assert [image["path"] for image in images] == ["0.png", "2.png", "4.png"]
    assert summary["unread_folders"] == [{"path": "sub", "reason": "Permission denied"}]
    monkeypatch.undo()
    assert run(["validate", str(out / "images.jsonl")]) == 0
    (folder / "bad.png").write_bytes(b"no image")
    deny_listing(monkeypatch, folder / "sub")
    assert run(["audit-images", str(folder), "--out", str(out), "--fail-on", "unreadable"]) == 1


def test_a_folder_of_which_nothing_can_be_listed_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was audited: exit status 1, and the permissions are named as what to check."""
    deny_listing(monkeypatch, folder)
    assert run(["audit-images", str(folder), "--out", str(tmp_path / "out")]) == 1
    assert "holds no image, and folders that cannot be listed: 1" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_a_finding(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's reason is reported, the size is known, and the others are measured."""
    reading = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "2.png":
            raise PermissionError(13, "Permission denied", str(path))
        return reading(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    out = tmp_path / "out"
    assert run(["audit-images", str(folder), "--out", str(out)]) == 0
    images = {one["path"]: one for one in read_jsonl(out / "images.jsonl")[:-1]}
    (finding,) = images["2.png"]["findings"]
    assert (finding["check"], finding["text"]) == ("unreadable", "cannot be read (Permission denied)")
    assert images["2.png"]["n_bytes"] == (folder / "2.png").stat().st_size
    assert [one["findings"] for path, one in images.items() if path != "2.png"] == [[]] * 5


def test_killed_while_the_journal_is_written_again_no_entry_is_lost(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the new journal is whole the old one stands: the next audit takes over all of it."""
    out = tmp_path / "out"
    run(["audit-images", str(folder), "--out", str(out)])
    before = (out / JOURNAL).read_bytes()

    def killed(_: Path, __: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        run(["audit-images", str(folder), "--out", str(out), "--resume"])
    assert (out / JOURNAL).read_bytes() == before
    assert len(before.splitlines()) == 6


def test_killed_while_measuring_what_was_measured_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed audit that is interrupted again keeps the old entries and adds the new ones."""
    out = tmp_path / "out"
    run(["audit-images", str(folder), "--out", str(out)])
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    (out / JOURNAL).write_bytes(b"".join(lines[:3]))
    reading = Path.read_bytes
    measured = []

    def read_bytes(path: Path) -> bytes:
        if path.suffix == ".png":
            measured.append(path.name)
            if len(measured) > 2:
                raise KeyboardInterrupt
        return reading(path)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", read_bytes)
        run(["audit-images", str(folder), "--out", str(out), "--resume"])
    kept = [json.loads(line)["key"] for line in (out / JOURNAL).read_bytes().splitlines()]
    assert set(kept) >= {json.loads(line)["key"] for line in lines[:3]}
    assert run(["audit-images", str(folder), "--out", str(out), "--resume"]) == 0
    assert (out / JOURNAL).read_bytes().count(b"\n") == 6
