"""`migrate`: older traces and manifests in the current version, whole or not at all, and nothing said is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaid_evals import migration
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import current_versions, ordinary_version, violations
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.migration import migrate, migrated, plan_migration, record_files
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import from_records, read_trace
from factories import failed_trace_records, trace_records, write_campaign

ADDED_TO_TRACES = ("t_rel_ms", "stream", "content_sha256")
ADDED_TO_METADATA = ("stub", "gold_concepts", "gold_mentions")
ADDED_TO_MANIFEST = ("traces", "trace_dataset_hash", "stub")
ADDED_TO_GENERATION = ("case_source", "case_content_hash", "generation_seed")


def without(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a record without some fields."""
    return {name: value for name, value in record.items() if name not in names}


@pytest.fixture
def old(tmp_path: Path) -> Campaign:
    """Return a campaign whose traces and manifest are of version 1.0.0, as the paper's first release wrote them."""
    campaign = write_campaign(tmp_path / "data")
    for path in campaign.traces.iterdir():
        records = [
            without(record, ADDED_TO_TRACES)
            | {"schema_version": "1.0.0", "metadata": without(record["metadata"], ADDED_TO_METADATA)}
            for record in read_jsonl(path)
        ]
        write_jsonl(path, records)
    [record] = read_jsonl(campaign.manifest_file)
    generation = without(record["mas_generation_config"], ADDED_TO_GENERATION)
    write_jsonl(
        campaign.manifest_file,
        [without(record, ADDED_TO_MANIFEST) | {"schema_version": "1.0.0", "mas_generation_config": generation}],
    )
    return campaign


def contents(campaign: Campaign) -> dict[str, bytes]:
    """Return the bytes of every trace and manifest."""
    return {campaign.relative(path): path.read_bytes() for path in record_files(campaign)}


def test_old_records_become_current_and_keep_what_they_say(old: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field stays as it was; times and hashes are added; the manifest now freezes the traces."""
    before = {path: read_jsonl(path) for path in record_files(old)}
    conversations = {path: read_trace(path) for path in old.traces.iterdir()}
    assert run(["migrate", "--data-dir", str(old.root)]) == 0
    assert "4 files rewritten, 0 current" in capsys.readouterr().out
    for path, records in before.items():
        for then, now in zip(records, read_jsonl(path), strict=True):
            assert now["schema_version"] == ordinary_version(now["schema_name"])
            assert {**now, "schema_version": "1.0.0"}.items() >= then.items()
    for path, conversation in conversations.items():
        assert read_trace(path) == conversation
    assert len(verify_frozen(old).entries) == 3
    assert run(["validate", str(old.traces), str(old.manifests)]) == 0


def test_the_same_command_again_has_nothing_to_do(old: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """What is current is left alone, byte for byte."""
    run(["migrate", "--data-dir", str(old.root)])
    before = contents(old)
    times = {path: path.stat().st_mtime_ns for path in record_files(old)}
    capsys.readouterr()
    assert run(["migrate", "--data-dir", str(old.root)]) == 0
    assert "0 files rewritten, 4 current" in capsys.readouterr().out
    assert contents(old) == before
    assert {path: path.stat().st_mtime_ns for path in record_files(old)} == times


def test_dry_run_writes_nothing(old: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which files, and from which version to which."""
    before = contents(old)
    assert run(["migrate", "--dry-run", "--data-dir", str(old.root)]) == 0
    reported = capsys.readouterr().out
    assert reported.count("would rewrite") == 4
    assert f"1.0.0 → {current_versions()['exaid.trace']}" in reported
    assert contents(old) == before


def test_a_newer_record_is_refused_and_nothing_is_written(old: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """One file that cannot be migrated keeps all of them as they are; file, line and version are named."""
    path = min(old.traces.iterdir())
    records = read_jsonl(path)
    records[1]["schema_version"] = "9.0.0"
    write_jsonl(path, records)
    before = contents(old)
    assert run(["migrate", "--data-dir", str(old.root)]) == 1
    reported = capsys.readouterr().err
    assert f"{path.name}:2" in reported
    assert "9.0.0 is newer than this release reads" in reported
    assert contents(old) == before


def test_an_interrupted_migration_goes_on(old: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after any number of files, the same command comes to the same bytes."""
    rewritings, _ = plan_migration(record_files(old))
    originals = contents(old)
    migrate(rewritings)
    wanted = contents(old)
    real = migration.write_jsonl
    for survives in range(len(wanted)):
        for name, data in originals.items():
            (old.root / name).write_bytes(data)
        written = 0

        def write_then_die(path: Path, records: Any, *, last: int = survives) -> None:
            nonlocal written
            if written == last:
                raise KeyboardInterrupt
            written += 1
            real(path, records)

        monkeypatch.setattr(migration, "write_jsonl", write_then_die)
        with pytest.raises(KeyboardInterrupt):
            migrate(plan_migration(record_files(old))[0])
        monkeypatch.setattr(migration, "write_jsonl", real)
        migrate(plan_migration(record_files(old))[0])
        assert contents(old) == wanted


def test_a_manifest_is_not_made_to_vouch_for_what_is_missing_or_foreign(old: Campaign) -> None:
    """Hashes are frozen of exactly the cases that the manifest lists."""
    path = max(old.traces.iterdir())
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(DataError, match="not beside the manifest"):
        plan_migration(record_files(old))
    path.write_bytes(kept)
    (old.traces / "case-999.jsonl.gz").write_bytes(kept)
    with pytest.raises(DataError, match="traces of other cases"):
        plan_migration([old.manifest_file])


def test_times_that_run_back_are_refused(old: Campaign) -> None:
    """A time since the first message cannot be derived from them, and none is invented."""
    path = next(path for path in sorted(old.traces.iterdir()) if len(read_jsonl(path)) > 1)
    records = read_jsonl(path)
    records[1]["timestamp"] = "2001-01-01T00:00:00Z"
    write_jsonl(path, records)
    with pytest.raises(DataError, match="before the case's first message"):
        plan_migration([path])


def test_results_are_left_to_their_stages(old: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """A metrics file of an older version has no step, and the message says what to do."""
    path = old.metrics_file("V0")
    archived = [record | {"schema_version": "1.0.0"} for record in read_jsonl(path)]
    if current_versions()["exaid.metrics"] == "1.0.0":
        pytest.skip("metrics have one version")
    write_jsonl(path, archived)
    assert run(["migrate", str(path)]) == 1
    assert "make it again with the stage that wrote it" in capsys.readouterr().err


def test_single_files_can_be_named(old: Campaign) -> None:
    """A trace without its campaign is migrated too."""
    path = sorted(old.traces.iterdir())[1]
    assert run(["migrate", str(path)]) == 0
    assert read_jsonl(path)[0]["schema_version"] == current_versions()["exaid.trace"]


def test_a_published_failure_record_validates_and_migrates() -> None:
    """Of version 1.0.0, without `metadata.model`: a failed case need not say by which model it was not made."""
    record = failed_trace_records()[0]
    for name in ("t_rel_ms", "content_sha256", "time_basis"):
        record.pop(name, None)
    record["schema_version"] = "1.0.0"
    record["metadata"] = {key: value for key, value in record["metadata"].items() if key not in ("model", "stub")}
    assert list(violations(record)) == []
    new = migrated(record, record, where="here")
    assert (new["schema_version"], "model" in new["metadata"]) == ("1.3.0", False)
    trace = from_records([new], where="here")
    assert (trace.failed, trace.provenance.model) == (True, "unknown")
    spoken = {**record, "agent_id": "doctor0", "content": "a", "text_units_ctu": 1}
    spoken["metadata"] = {**record["metadata"], "status": "success"}
    del spoken["metadata"]["failure_reason"]
    assert [field for field, _ in violations(spoken)] == ["metadata"]


def test_a_trace_without_times_keeps_those_of_its_time_stamps(tmp_path: Path) -> None:
    """Readers of 1.2.0 derive them; the current version states them, and is valid."""
    path = tmp_path / "case-1000.jsonl"
    records = [record | {"schema_version": "1.2.0"} for record in trace_records(n_messages=3)]
    for record in records:
        for name in ("t_rel_ms", "stream", "time_basis"):
            record.pop(name, None)
    write_jsonl(path, records)
    before = read_trace(path)
    assert run(["migrate", str(path)]) == 0
    assert read_trace(path) == before
    assert [record["time_basis"] for record in read_jsonl(path)] == ["assumed"] * 3
    assert run(["validate", str(path)]) == 0


def test_times_may_run_back_nowhere(old: Campaign) -> None:
    """Nor after the first message: what is written can be read."""
    path = max(old.traces.iterdir(), key=lambda path: len(read_jsonl(path)))
    records = read_jsonl(path)
    for record, second in zip(records, (0, 10, 5), strict=False):
        record["timestamp"] = f"2024-12-19T12:00:{second:02d}Z"
    write_jsonl(path, records[:3])
    with pytest.raises(DataError, match="its time is 5000 ms, before the message above at 10000"):
        plan_migration([path])


@pytest.mark.parametrize("content", ["", "metrics"])
def test_the_file_that_cannot_be_migrated_is_named_and_not_its_manifest(old: Campaign, content: str) -> None:
    """A trace that is empty or of another kind is the problem, named with the campaign and with the manifest alone."""
    path = min(old.traces.iterdir())
    write_jsonl(path, read_jsonl(old.metrics_file("V0")) if content else [])
    for files in ([old.manifest_file], record_files(old))[: 1 if content else 2]:
        with pytest.raises(DataError, match=path.name):
            plan_migration(files)
