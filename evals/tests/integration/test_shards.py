"""Stages 01 to 03 in parts (`--shard`), and their merge: byte for byte what one command makes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from exaid_evals.artifacts.ledger import join_spools
from exaid_evals.cli.main import run
from exaid_evals.errors import DataError
from folders import contents
from stub_campaigns import ARGUMENTS, copy_of, shared_campaign

PAGE = Path(__file__).parents[3] / "docs/scale.md"
STAGES = ("make-traces", "run-variants", "compute-metrics")


def in_parts(stage: str, folder: Path, campaign: Path, *options: str) -> list[str]:
    """Do a stage in two parts; return their folders, the second first."""
    parts = [str(folder / f"{stage}-{index}") for index in (2, 1)]
    for index, part in zip((2, 1), parts, strict=True):
        arguments = [stage, *options, "--data-dir", str(campaign), "--shard", f"{index}/2", "--into", part]
        assert run(arguments) == 0
    return parts


@pytest.mark.slow
def test_two_parts_merged_are_one_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces, manifest, runs, metrics, tables and the ledgers of all stages, by the commands that the page shows."""
    whole, merged = shared_campaign().root, tmp_path / "campaign"
    monkeypatch.chdir(tmp_path)
    for name, value in (("SOURCE", "small_cases:load"), ("N_CASES", "12"), ("LIMIT", "2")):
        monkeypatch.setenv(f"EXAID_{name}", value)
    [block] = re.findall(r"^```\n(exaid-evals make-traces --stub --shard .*?)^```", PAGE.read_text(), re.M | re.S)
    for line in block.splitlines():
        assert run(line.split()[1:]) == 0
    for name in ("traces", "manifests", "runs", "metrics"):
        assert contents(merged / name) == contents(whole / name)
    for stage in (*STAGES, "compare-variants"):
        ledger = f".state/{stage}.jsonl"
        assert (merged / ledger).read_bytes() == (whole / ledger).read_bytes()
    assert not (merged / ".state/measured").exists()


def test_two_parts_of_traces_are_one_freeze(tmp_path: Path) -> None:
    """Manifest, ledger and files; merged once more, nothing changes."""
    whole, merged = shared_campaign().root, tmp_path / "merged"
    parts = in_parts("make-traces", tmp_path, merged, *ARGUMENTS, "--limit", "2")
    for _ in range(2):
        assert run(["merge", "--data-dir", str(merged), *parts]) == 0
        for name in ("traces", "manifests"):
            assert contents(merged / name) == contents(whole / name)
    assert (merged / ".state/make-traces.jsonl").read_bytes() == (whole / ".state/make-traces.jsonl").read_bytes()


@pytest.fixture
def runs_in_parts(tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a campaign without runs, and the folders of two parts of V0's."""
    campaign = copy_of(shared_campaign(), tmp_path / "data").root
    shutil.rmtree(campaign / "runs")
    (campaign / ".state/run-variants.jsonl").unlink()
    return campaign, in_parts("run-variants", tmp_path, campaign, "V0", "--stub")


def test_a_merge_refuses_what_is_not_whole(
    runs_in_parts: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that is missing, named twice, unfinished, or of another configuration; nothing is written then."""
    campaign, (second, first) = runs_in_parts
    before = contents(campaign)
    for parts, reported in (([second], "part 1 of 2 is missing"), ([first, second, first], "named twice")):
        assert run(["merge", "--data-dir", str(campaign), *parts]) == 1
        assert reported in capsys.readouterr().err
    assert run(["run-variants", "V1", "--stub", "--data-dir", str(campaign), "--shard", "1/2", "--into", first]) == 0
    assert run(["merge", "--data-dir", str(campaign), first, second]) == 1
    assert "do not belong together" in capsys.readouterr().err
    Path(first, ".state/part.json").unlink()
    assert run(["merge", "--data-dir", str(campaign), first, second]) == 1
    assert "no finished part" in capsys.readouterr().err
    assert contents(campaign) == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "part.json",
            '{"stage":"run-variants","shard":"1/1000000000000","made_from":"x"}',
            "is not the mark of a part",
        ),
        ("part.json", '{"stage":"run-variants","shard":"3/2","made_from":"x"}', "is not the mark of a part"),
        ("part.json", "[1]", "is not the mark of a part"),
        ("run-variants.jsonl", '{"name":"no key"}', "has a line without a key"),
    ],
)
def test_a_merge_of_damaged_parts_says_which(
    runs_in_parts: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    """A mark that is none, of more parts than there can be, or a ledger without keys: one line, and its file."""
    campaign, parts = runs_in_parts
    (Path(parts[0]) / ".state" / name).write_text(content + "\n")
    assert run(["merge", "--data-dir", str(campaign), *parts]) == 1
    reported = capsys.readouterr().err
    assert said in reported
    assert name in reported


def test_a_merge_of_an_empty_measurement_says_which(tmp_path: Path) -> None:
    """A file of measured cases that was emptied, or is gone, is named."""
    whole = tmp_path / "whole.jsonl"
    whole.write_text('{"inputs":"x"}\n')
    for other in (tmp_path / "empty.jsonl", tmp_path / "gone.jsonl"):
        if other.name == "empty.jsonl":
            other.touch()
        with pytest.raises(DataError, match=rf"{other.name}: (is empty|no such file); make the part again"):
            join_spools(tmp_path / "joined.jsonl", [whole, other])


def test_a_merge_refuses_a_file_that_is_there_with_another_content(
    runs_in_parts: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, and kept."""
    campaign, parts = runs_in_parts
    [made, *_] = Path(parts[1], "runs/V0").iterdir()
    there = campaign / "runs/V0" / made.name
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    assert run(["merge", "--data-dir", str(campaign), *parts]) == 1
    assert str(there) in capsys.readouterr().err
    assert there.read_bytes() == b"mine"


def test_an_interrupted_measurement_goes_on(tmp_path: Path) -> None:
    """What is measured is not measured again, half a line at the end is, and the metrics are the same bytes."""
    whole, into = shared_campaign(), tmp_path / "part"
    [part] = [str(into)]
    arguments = ["compute-metrics", "--data-dir", str(whole.root), "--shard", "1/1", "--into", part]
    assert run(arguments) == 0
    spool = into / ".state/measured/V3.jsonl"
    made = spool.read_bytes()
    spool.write_bytes(made[:-20])
    assert run(arguments) == 0
    assert sorted(set(spool.read_bytes().splitlines())) == sorted(made.splitlines())


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (("--shard", "1/2"), "one without the other"),
        (("--shard", "3/2", "--into", "x"), "write I/N"),
        (("--shard", "1/2", "--into", "{campaign}"), "is the campaign itself"),
    ],
)
def test_a_part_that_cannot_be_is_wrong_usage(
    options: tuple[str, ...], reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a remedy, before any work."""
    campaign = str(shared_campaign().root)
    given = [option.format(campaign=campaign) for option in options]
    assert run(["run-variants", "V0", "--stub", "--data-dir", campaign, *given]) == 2
    assert reported in capsys.readouterr().err
