"""W&B: golden runs that its offline mode made, and hostile logs."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Source
from exaid_evals.runs.files.wandb_log import read_log
from exaid_evals.runs.formats.wandb import WandbFormat
from export.trackers import GOLD, read


def wandb_log() -> Path:
    """Return the golden log of the first run."""
    return next((GOLD / "wandb").glob("offline-run-*-gold0001/run-*.wandb"))


def test_wandb_logs_say_what_was_logged() -> None:
    """Last values, summary items with dots, nested ones, seed, config; what was removed is gone, NaN is undefined."""
    expected = json.loads((GOLD / "wandb" / "expected.json").read_text(encoding="utf-8"))
    runs = read(WandbFormat(), GOLD / "wandb")
    assert len(runs) == 2
    for run in runs.values():
        wanted = expected[run.attributes["wandb_run_id"]]
        logged = {**run.metrics, **run.attributes["beside_metrics"]}
        assert {key: logged[key] for key in wanted} == pytest.approx(wanted)
        assert "epoch" not in run.metrics
        assert set(logged) == {*wanted, "undefined"}
        assert run.metrics["undefined"] is None
        assert run.config == {
            "lr": 0.001,
            "model.depth": 3,
            "model.name": "=cmd|' /C calc'!A0",
            "tags": ["a", "b"],
        }
        assert run.attributes["steps"] == 3
    assert sorted(run.seed or 0 for run in runs.values()) == [1, 2]


def test_a_record_of_several_blocks_is_put_together() -> None:
    """A value longer than two blocks of 32 KiB comes back whole."""
    assert read_log(wandb_log()).summary["long"] == "x" * 70_000


def test_a_run_and_the_folder_wandb_and_its_parent_are_claimed(tmp_path: Path) -> None:
    """A user may name any of the three; the link `latest-run` is not a second run."""
    folder = tmp_path / "project" / "wandb"
    folder.mkdir(parents=True)
    shutil.copytree(wandb_log().parent, folder / wandb_log().parent.name)
    (folder / "latest-run").symlink_to(folder / wandb_log().parent.name)
    for place in (folder, tmp_path / "project", folder / wandb_log().parent.name):
        assert len(read(WandbFormat(), place)) == 1


def test_a_log_that_breaks_off_keeps_what_stands_before(tmp_path: Path) -> None:
    """A killed run's log is read as far as it goes, with a warning; one without a record is refused."""
    data = wandb_log().read_bytes()
    path = tmp_path / "run-x.wandb"
    path.write_bytes(data[:-30])
    run = next(iter(read(WandbFormat(), tmp_path).values()))
    assert run.metrics["val.accuracy"] == 0.81
    assert any("breaks off" in warning for warning in run.warnings)
    path.write_bytes(data[:20])
    with pytest.raises(DataError, match="is not a log of W&B"):
        read(WandbFormat(), tmp_path)


def test_a_damaged_record_is_noticed(tmp_path: Path) -> None:
    """One flipped bit breaks a checksum."""
    data = bytearray(wandb_log().read_bytes())
    data[500] ^= 1
    path = tmp_path / "run-x.wandb"
    path.write_bytes(bytes(data))
    assert any("checksum" in warning for warning in read_log(path).warnings)


def reported_or_read(path: Path) -> object:
    """Return what a log says, or the line that tells why it cannot be read."""
    try:
        return read_log(path)
    except DataError as error:
        return str(error)


@given(st.binary(max_size=400), st.integers(0, 800))
def test_no_bytes_break_the_log_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    """Whatever bytes stand in a log, it is read or refused with a clear line, and always in the same way."""
    data = bytearray(wandb_log().read_bytes()[:1200])
    data[at : at + len(noise)] = noise
    path = tmp_path_factory.mktemp("w") / "run-x.wandb"
    path.write_bytes(bytes(data))
    first, second = (reported_or_read(path) for _ in range(2))
    assert first == second
    assert not isinstance(first, str) or str(path) in first


def test_a_valid_chunk_around_nonsense_is_refused_cleanly(tmp_path: Path) -> None:
    """A checksum can be right and the record none: a field longer than its record, an endless number."""
    import zlib

    for record in (b"\x1a\xff\xff\xff\xff\x0f", b"\x80" * 30, b"\x0b"):
        chunk = struct.pack("<IHB", zlib.crc32(b"\x01" + record), len(record), 1) + record
        path = tmp_path / "run-x.wandb"
        path.write_bytes(struct.pack("<4sHB", b":W&B", 0xBEE1, 0) + chunk)
        with pytest.raises(DataError, match="is not a log of W&B"):
            read_log(path)


def test_a_run_of_which_only_files_were_kept_is_read(tmp_path: Path) -> None:
    """Summary and config as wandb writes them beside a log; with a broken log they stand in, and that is said."""
    folder = tmp_path / "run-20241219_120000-abc"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "wandb-summary.json").write_text(
        '{"acc": 0.5, "val": {"f1": NaN}, "_step": 3}', encoding="utf-8"
    )
    (folder / "files" / "config.yaml").write_text(
        "_wandb:\n  value: {cli_version: 1}\nseed:\n  desc: null\n  value: 4\nlr:\n  value: 0.1\n", encoding="utf-8"
    )
    [run] = read(WandbFormat(), folder).values()
    assert (run.metrics, run.seed, run.config) == ({"acc": 0.5, "val.f1": None}, 4, {"lr": 0.1})
    (folder / "run-abc.wandb").write_bytes(b"broken")
    [run] = read(WandbFormat(), folder).values()
    assert any("was read in place of run-abc.wandb" in warning for warning in run.warnings)
    (folder / "files" / "config.yaml").write_text(
        "!!python/object/apply:os.system ['touch /tmp/owned']", encoding="utf-8"
    )
    with pytest.raises(DataError):
        read(WandbFormat(), folder)


def test_a_run_that_was_resumed_in_a_second_folder_is_one_history(tmp_path: Path) -> None:
    """Its steps come from both folders, under one name; the folder of the first part alone is that part."""
    first, second = (tmp_path / "wandb" / f"offline-run-2026112{day}_005231-gold0001" for day in (2, 3))
    for folder in (first, second):
        shutil.copytree(wandb_log().parent, folder)
    named = WandbFormat().named(tmp_path)
    assert len(named) == 1
    ((name, source),) = named.items()
    whole, part = WandbFormat().history(source, name), WandbFormat().history(Source(first), name)
    counts = {metric: len(series.points) for metric, series in part.series.items()}
    assert {metric: len(series.points) for metric, series in whole.series.items()} == {
        metric: 2 * count for metric, count in counts.items()
    }
