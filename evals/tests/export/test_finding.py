"""Patterns over folders: loops end, obstacles are reported, names may hold anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exaid_evals.export.finding import matching_folders


def below(root: Path, *names: str) -> None:
    """Make folders."""
    for name in names:
        (root / name).mkdir(parents=True)


def test_two_stars_go_down_any_number_of_folders(tmp_path: Path) -> None:
    """None, one and three; what begins with a dot is not searched, and files do not match."""
    below(tmp_path, "results_1", "a/results_2", "a/b/c/results_3", ".git/results_4")
    (tmp_path / "results_file").write_text("")
    found, obstacles = matching_folders(f"{tmp_path}/**/results_*")
    assert sorted(folder.name for folder in found) == ["results_1", "results_2", "results_3"]
    assert obstacles == []


def test_loops_of_links_end(tmp_path: Path) -> None:
    """Two links to the folder above would make an unbounded tree; each folder is found once."""
    below(tmp_path, "a/results_1")
    for name in ("x", "y"):
        (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to("self")
    found, _ = matching_folders(f"{tmp_path}/**/results_*")
    assert [folder.name for folder in found] == ["results_1"]


def test_names_with_anything_in_them_match(tmp_path: Path) -> None:
    """Blanks, quotes, newlines, and bytes that are not text."""
    names = ["results_ a b", "results_'\"", "results_\n", "results_[1]"]
    below(tmp_path, *names)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/results_\xff")).mkdir()
    found, _ = matching_folders(f"{tmp_path}/results_*")
    assert {folder.name for folder in found} == {*names, "results_\udcff"}


def test_a_closed_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be searched is reported once, and the rest is found. It is staged, for root may read everything."""
    below(tmp_path, "closed/results_1", "open/results_2")
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found, obstacles = matching_folders(f"{tmp_path}/**/results_*")
    assert [folder.name for folder in found] == ["results_2"]
    assert obstacles == [f"{tmp_path}/closed: cannot be searched (Permission denied); check its permissions"]


def test_links_that_lead_nowhere_are_reported(tmp_path: Path) -> None:
    """To nothing, to itself, and to a folder that is read already: each is named with where it leads."""
    below(tmp_path, "results_2", "results_9")
    for name, target in (("results_1", "results_2"), ("results_dead", "gone"), ("results_self", "results_self")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "other_dead").symlink_to("gone")
    found, obstacles = matching_folders(f"{tmp_path}/results_*")
    assert [folder.name for folder in found] == ["results_2", "results_9"]
    assert obstacles == [
        f"{tmp_path}/results_dead: is a link to gone, where nothing is; passed over: restore what it led to, or remove "
        "it",
        f"{tmp_path}/results_self: is a link to itself; passed over: restore what it led to, or remove it",
        f"{tmp_path}/results_1: is a link to {tmp_path}/results_2, which is read already; passed over",
    ]


def test_links_back_up_are_reported_below_two_stars(tmp_path: Path) -> None:
    """A folder that is searched already is not searched again, and that is said."""
    below(tmp_path, "a/results_1")
    (tmp_path / "a" / "results_1" / "up").symlink_to("..")
    found, obstacles = matching_folders(f"{tmp_path}/**/results_*")
    assert [folder.name for folder in found] == ["results_1"]
    assert obstacles == [
        f"{tmp_path}/a/results_1/up: is a link to a folder that is searched already; passed over",
    ]


def test_thousands_of_links_are_reported_in_few_lines(tmp_path: Path) -> None:
    """What stood in the way is a list to be read."""
    for number in range(30):
        (tmp_path / f"results_{number}").symlink_to("gone")
    found, obstacles = matching_folders(f"{tmp_path}/results_*")
    assert (found, len(obstacles), obstacles[-1]) == ([], 21, "10 further links and folders were passed over")
