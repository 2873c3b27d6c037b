"""inspect-ai: golden logs that it made in each of its forms, and hostile archives."""

from __future__ import annotations

import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.errors import DataError, MissingDependencyError
from exaid_evals.runs.files import archives
from exaid_evals.runs.formats.evaluations import InspectFormat
from export.trackers import GOLD, read


@pytest.mark.parametrize("form", ["json", "deflated", "archive"])
def test_inspect_logs_say_scores_seed_and_model(form: str) -> None:
    """The same evaluation as JSON, in the older and in the newer packing gives the same scores."""
    if form == "archive":
        pytest.importorskip("zstandard", reason="extra export-inspect")
    [run] = read(InspectFormat(), GOLD / "inspect" / form).values()
    assert run.metrics == {"match.accuracy": 0.75, "includes.accuracy": 0.75}
    assert run.attributes["stderr"] == {"match.stderr": 0.25, "includes.stderr": 0.25}
    assert (run.seed, run.config["model"], run.config["temperature"]) == (7, "mockllm/model", 0.5)
    assert (run.attributes["n_samples"], run.warnings) == (4, ())


def test_a_killed_evaluation_is_reported() -> None:
    """A log without its header says that the evaluation was only started."""
    [run] = read(InspectFormat(), GOLD / "inspect" / "started").values()
    assert run.metrics == {}
    assert run.warnings[0].endswith("the evaluation's status is started")


def test_without_zstandard_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer packing needs a package, and the error says how to install it."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingDependencyError, match=r"export-inspect"):
        read(InspectFormat(), GOLD / "inspect" / "archive")


def archive(tmp_path: Path, content: bytes, name: str = "header.json") -> Path:
    """Write a log with one member."""
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return path


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that is too large is refused by the table; where the table lies, by what comes out."""
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    path = archive(tmp_path, b"0" * 100_000)
    with pytest.raises(DataError, match="is larger than"):
        read(InspectFormat(), tmp_path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"unpacks to more than|is damaged"):
        read(InspectFormat(), tmp_path)


def test_many_bombs_are_no_better_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all members unpack to together is bounded by the file's size; a packing that no log has is refused."""
    monkeypatch.setattr(archives, "_MOST_UNPACKED", 1000)
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(20):
            made.writestr(f"samples/{number}.json", b"0" * 1_000_000)
    with pytest.raises(DataError, match="unpacks to far more than it holds"):
        list(archives.read_members(path, lambda _: True))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("header.json", b"{}")
    with pytest.raises(DataError, match="is packed as no log is"):
        archives.read_member(path, "header.json")


def test_half_a_character_is_written_as_a_question_mark(tmp_path: Path) -> None:
    """JSON can escape half of a surrogate pair, and no table can hold it: an export is not to fail over it."""
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as made:
        made.writestr(
            "header.json",
            r'{"status": "success", "eval": {"model": "m\ud800"}, "results": {"scores": [{"name": "s", "metrics":'
            '{"accuracy": {"value": 0.5}}}]}}',
        )
    [run] = read(InspectFormat(), tmp_path).values()
    assert run.config["model"] == "m?"


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    """Nothing is unpacked to the disk, so that a member's path cannot lead out of a folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.eval", "w") as made:
        made.writestr("../../owned", "x")
        made.writestr(
            "header.json",
            '{"status": "success", "eval": {}, "results": {"scores": [{"name": "s", "metrics":'
            '{"accuracy": {"value": 0.5}}}]}}',
        )
    [run] = read(InspectFormat(), folder).values()
    assert run.metrics == {"s.accuracy": 0.5}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "x.eval"]


@given(st.binary(max_size=200), st.integers(0, 2800))
def test_no_bytes_break_the_archive_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    """A damaged log is read, or refused with a clear line."""
    data = bytearray(next((GOLD / "inspect" / "deflated").glob("*.eval")).read_bytes())
    data[at : at + len(noise)] = noise
    folder = tmp_path_factory.mktemp("i")
    (folder / "x.eval").write_bytes(bytes(data))
    reader = InspectFormat()
    for source in reader.sources(folder):
        reported = ""
        try:
            reader.read(source, "x")
        except (DataError, MissingDependencyError) as error:
            reported = str(error)
        assert not reported or "x.eval" in reported


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_log_without_permission_is_passed_over(tmp_path: Path) -> None:
    """A file that may not be opened is not claimed, and not a traceback."""
    path = archive(tmp_path, b"{}")
    path.chmod(0)
    assert not InspectFormat().claims(tmp_path)
