"""A campaign in shards (`pack`): every reader reads it, and `unpack` gives back the same files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from exaid_evals import open_campaign
from exaid_evals.artifacts import storage
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import read_trace
from folders import contents
from stub_campaigns import copy_of, shared_campaign


@pytest.fixture
def packed(tmp_path: Path) -> Campaign:
    """Return a campaign whose two cases lie in a shard each."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    assert run(["pack", "--per-shard", "1", "--data-dir", str(campaign.root)]) == 0
    return campaign


def test_in_shards_the_same_is_read(packed: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Frozen traces, their hashes and messages, run logs through the API, and what `validate` makes of all."""
    before = shared_campaign()
    assert not list(packed.traces.glob("case-*"))
    assert not list(packed.runs.rglob("case-*"))
    manifest = verify_frozen(packed)
    assert manifest.layout == "shards"
    assert manifest.trace_dataset_hash == read_manifest(before.manifest_file).trace_dataset_hash
    for case_id in manifest.generation.ordered_case_list:
        assert read_trace(packed.trace_file(case_id)) == read_trace(before.trace_file(case_id))
        assert sha256_file(packed.run_file("V3", case_id)) == sha256_file(before.run_file("V3", case_id))
    assert open_campaign(packed.root).updates().equals(open_campaign(before.root).updates())
    capsys.readouterr()
    assert run(["validate", "--data-dir", str(packed.root)]) == 0
    checked = capsys.readouterr().out.splitlines()
    assert run(["validate", "--data-dir", str(before.root)]) == 0
    expected = [line for line in capsys.readouterr().out.splitlines() if line.split()[0] in ("trace", "run", "case")]
    assert expected
    assert set(expected) <= set(checked)


def test_in_shards_nothing_is_to_do(packed: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Run logs are current, and so are the metrics."""
    assert run(["run-variants", "--stub", "--dry-run", "--data-dir", str(packed.root)]) == 0
    assert "would write 0 run logs" in capsys.readouterr().out
    assert run(["compute-metrics", "--dry-run", "--data-dir", str(packed.root)]) == 0
    assert "would measure nothing" in capsys.readouterr().out


@pytest.mark.slow
def test_in_shards_the_same_is_measured(packed: Campaign) -> None:
    """Metrics, tables and figures, byte for byte."""
    assert run(["compute-metrics", "--force", "--data-dir", str(packed.root)]) == 0
    assert contents(packed.metrics) == contents(shared_campaign().metrics)


def test_unpacking_gives_back_the_same_campaign(packed: Campaign) -> None:
    """Every byte of every file, manifest and ledgers included; twice changes nothing."""
    for _ in range(2):
        assert run(["unpack", "--data-dir", str(packed.root)]) == 0
        assert contents(packed.root) == contents(shared_campaign().root)


def test_a_shard_is_a_gzip_of_whole_cases(packed: Campaign) -> None:
    """Any tool reads it, and each place of the index unpacks by itself."""
    places = storage.packed(packed.traces)
    for name, place in places.items():
        shard = (packed.traces / place.shard).read_bytes()
        text = gzip.decompress(shard[place.start : place.start + place.length])
        assert text == gzip.decompress((shared_campaign().traces / name).read_bytes())
        assert text in gzip.decompress(shard)


def test_a_new_log_goes_before_the_packed_one_and_joins_it_later(packed: Campaign) -> None:
    """A file by itself is the newer one; the next pack takes it up, and removes what no longer counts."""
    [case_id, _] = read_manifest(packed.manifest_file).generation.ordered_case_list
    path = packed.run_file("V0", case_id)
    newer = gzip.compress(b"{}\n", mtime=0)
    path.write_bytes(newer)
    digest = sha256_file(path)
    assert run(["pack", "--data-dir", str(packed.root)]) == 0
    assert not path.exists()
    assert sha256_file(path) == digest
    assert len([name for name in path.parent.iterdir() if storage.is_shard(name.name)]) == 1


def test_a_killed_pack_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before the index, or before the files go: all is read, and the same command ends it."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    remove = Path.unlink
    for stopped in ("orjson.dumps", "remove"):
        with monkeypatch.context() as patch:
            if stopped == "remove":
                patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            else:
                patch.setattr(storage.orjson, "dumps", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                storage.pack(campaign.traces, "case-*.jsonl.gz")
        verify_frozen(campaign)
    assert Path.unlink is remove
    assert storage.pack(campaign.traces, "case-*.jsonl.gz") == 2
    assert verify_frozen(campaign) == read_manifest(shared_campaign().manifest_file)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'["../x","shard-0123456789abcdef.jsonl.gz",0,1]',
        b'["case-a.jsonl.gz","../../etc/passwd",0,1]',
        b'["below/case-a.jsonl.gz","shard-0123456789abcdef.jsonl.gz",0,1]',
        b'[5,"shard-0123456789abcdef.jsonl.gz",0,1]',
        b'["case-a.jsonl.gz","shard-0123456789abcdef.jsonl.gz",0.5,1.5]',
        b'["case-a.jsonl.gz","shard-0123456789abcdef.jsonl.gz",-1,1]',
        b'["' + b"a" * 2000 + b'","shard-0123456789abcdef.jsonl.gz",0,1]',
    ],
)
def test_an_index_of_others_leads_nowhere_else(packed: Campaign, line: bytes) -> None:
    """A line that is not a place in a shard of the folder is refused by its number."""
    (packed.traces / storage.INDEX).write_bytes(line + b"\n")
    with pytest.raises(DataError, match=r"not a line of an index.*|shards\.index:1"):
        verify_frozen(packed)


@pytest.mark.parametrize(("start", "length"), [(0, 10**15), (2**70, 1), (10**6, 1)])
def test_an_index_that_promises_more_than_there_is_takes_no_memory(packed: Campaign, start: int, length: int) -> None:
    """Places beyond the end of their shard are refused before anything is read."""
    name, place = next(iter(storage.packed(packed.traces).items()))
    (packed.traces / storage.INDEX).write_text(f'["{name}","{place.shard}",{start},{length}]\n')
    with pytest.raises(DataError, match=r"ends before case-|not a line of an index"):
        storage.open_stored(packed.traces / name)


def test_a_shard_that_was_cut_is_named(packed: Campaign) -> None:
    """As damaged, with the case that it no longer holds."""
    place = next(iter(storage.packed(packed.traces).values()))
    path = packed.traces / place.shard
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"damaged, .*ends before case-"):
        verify_frozen(packed)


@pytest.mark.parametrize(
    "arguments",
    [
        ["make-traces", "--stub", "--source", "small_cases:load", "--n-cases", "12", "--limit", "2", "--force"],
        ["verify", "--stages", "01"],
    ],
)
def test_what_needs_files_asks_to_unpack(
    packed: Campaign, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Traces are not made again beside their shards, and files are compared with files."""
    assert run([*arguments, "--data-dir", str(packed.root)]) == 2
    assert "unpack" in capsys.readouterr().err
