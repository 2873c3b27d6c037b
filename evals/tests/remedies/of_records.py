"""Records that stages, recordings and reports left, packs and parts; and what stage 00 says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from conversations import conversation
from exaid_evals.artifacts import jsonl, ledger
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import RESTORE, read_manifest
from exaid_evals.cli.histories import require_writable
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.files import read_regular
from exaid_evals.metrics.comparison_stage import check_comparisons
from exaid_evals.metrics.noted import Label, corrected_measures
from exaid_evals.metrics.records import read_comparisons
from exaid_evals.metrics.registry import load_measures
from exaid_evals.replay.engine import replay
from exaid_evals.replay.run_log import RunLog, write_run
from exaid_evals.runs.formats.campaign import _read
from exaid_evals.traces.importers import source
from exaid_evals.traces.mac.recording import Call, Outcome, RecordedRun, Recording
from exaid_evals.traces.model import from_records
from factories import (
    cassette_record,
    manifest_record,
    metrics_records,
    opening,
    run_records,
    trace_records,
    write_campaign,
)
from remedies.of_rest import old, scanned
from remedies.rows import Row

MAC_RUN = "mas-0123456789abcdef"
CASSETTE, RECORDING = "data/cassettes/eval-0123456789abcdef.jsonl.gz", f"data/cassettes/mac-{MAC_RUN}.jsonl.gz"
RECOVERY = "data/run/recovery.jsonl"


def refusing(call: Callable[[], Any]) -> Callable[[], None]:
    """Return a call during which the operating system lets nothing be opened, listed or written."""

    def do() -> None:
        error = PermissionError(13, "Permission denied")
        with mock.patch("os.open", side_effect=error), mock.patch("os.access", return_value=False):
            call()

    return do


def limited(module: object, name: str, value: object, call: Callable[[], Any]) -> Callable[[], None]:
    """Return a call under a smaller limit, lest the test write hundreds of MB."""

    def do() -> None:
        with mock.patch.object(module, name, value):
            call()

    return do


def recorded_calls() -> None:
    """Write a cassette of two calls."""
    write_jsonl(Path(CASSETTE), [cassette_record(0, "a"), cassette_record(1, "b")])


def recorded_conversation() -> None:
    """Write a recording of MAC's calls."""
    Path(RECORDING).unlink(missing_ok=True)
    run = RecordedRun(MAC_RUN, "2024-12-19T12:00:00Z", "0" * 40, "gpt-4o-mini")
    request = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    with Recording(Path(RECORDING), run) as recording:
        recording.add_call(Call("case-a", sha256_structure(request), 0, request, {"choices": ["x"]}, 7))
        recording.add_outcome("case-a", Outcome(1, failure_reason="no"))


def recovered(index: int = 0) -> None:
    """Write a journal of one action of a training."""
    action = {"strategy": "reduce_learning_rate", "reason": "spike", "counted": True, "done": True, "details": {}}
    write_jsonl(
        Path(RECOVERY), [opening("exaid.recovery") | {"record_type": "action", "index": index, "step": 1} | action]
    )


def spoilt(path: str, make: Callable[[], Any], change: Callable[[list[Any]], Any], remedy: str, *does: Any) -> Row:
    """Return the row of a file that stage 00 refuses after a change of its records; by default it is restored."""

    def before() -> None:
        make()
        records = read_jsonl(Path(path))
        change(records)
        write_jsonl(Path(path), records)

    leaves = 3 if does else 0
    return Row(remedy, f"validate {path}", before=before, does=does or (make,), leaves=leaves)


def changed_after_freezing(campaign: Campaign) -> None:
    """Freeze a campaign of an older version, and change a trace."""
    older = [one | {"schema_version": "1.2.0"} for one in trace_records()]
    frozen = manifest_record({"case-1000": older})
    write_jsonl(campaign.manifest_file, [frozen])
    for path in campaign.traces.glob("*"):
        path.unlink()
    write_jsonl(Path("kept"), older)
    write_jsonl(campaign.trace_file("case-1000"), [one | {"provider_token_count": 1} for one in older])


FRESH = partial(write_campaign, Path("data"))
REPAIR = "restore the {}, or keep what can be read of it with `exaid-evals cassette repair`"
MANIFEST = "data/manifests/dataset_manifest.jsonl"
VALIDATED = [
    spoilt(
        CASSETTE,
        recorded_calls,
        lambda records: records[1].update(request_sha256="sha256:" + "0" * 64),
        REPAIR.format("cassette"),
    ),
    spoilt(
        CASSETTE,
        recorded_calls,
        lambda records: records.append(records[0]),
        REPAIR.format("cassette"),
        f"cassette repair {CASSETTE}",
    ),
    spoilt(
        RECORDING,
        recorded_conversation,
        lambda records: records[1]["request"].update(model="n"),
        REPAIR.format("recording"),
    ),
    spoilt(
        RECORDING,
        recorded_conversation,
        lambda records: records.insert(2, records[1]),
        REPAIR.format("recording"),
        f"cassette repair {RECORDING}",
    ),
    spoilt(
        RECOVERY,
        recovered,
        lambda records: records[0].update(index=7),
        "the journal is not as the training wrote it; restore it",
    ),
    Row(
        RESTORE,
        "validate --data-dir data",
        before=lambda: (FRESH(), Path("data/traces/case-1000.jsonl.gz").rename("kept")),
        does=(lambda: Path("kept").rename("data/traces/case-1000.jsonl.gz"),),
    ),
    Row(
        "leave it, for it is still read as it is; or make it again with the stage that wrote it",
        "migrate case-1000.jsonl",
        "validate case-1000.jsonl",
        before=lambda: write_jsonl(
            Path("case-1000.jsonl"), [one | {"schema_version": "1.0.0"} for one in run_records(trace_records())]
        ),
    ),
    old(
        "restore the trace",
        changed_after_freezing,
        lambda one: write_jsonl(one.trace_file("case-1000"), read_jsonl(Path("kept"))),
    ),
]


def joined(*cases: str) -> object:
    """Join the manifests of parts that hold these cases."""
    whole = read_manifest(Path(MANIFEST))
    return ledger._joined(
        [replace(whole, traces=tuple(one for one in whole.entries if one.case_id == case)) for case in cases]
    )


def written(text: Any) -> None:
    """Write the log of a replay in which a part of somebody's own wrote this as its update."""
    parts_of = {"gate": {"kind": "message"}, "trigger": {"kind": "always"}, "summarizer": {"kind": "passthrough"}}
    variant = VariantConfig.model_validate({"variant_id": "T", "history_k": 0, **parts_of})
    flushes, decisions, summaries = replay(conversation("Fever."), variant, None, chars_per_second=100.0)
    meta = {
        key: value for key, value in run_records(trace_records())[0].items() if not key.startswith(("schema", "record"))
    }
    changed = tuple(replace(one, rendered_text=text) for one in summaries)
    write_run(Path("run.jsonl"), RunLog(meta, flushes, decisions, changed))


def compared() -> object:
    """Read a campaign's comparisons."""
    return read_comparisons(Path("data/metrics/comparisons.metrics.jsonl"))


def read_a() -> bytes:
    """Read a small file."""
    return read_regular(Path("a"), 9)


def lines_of_a() -> None:
    """Scan a file, and raise what is wrong behind its first line, or with it."""
    found = list(jsonl.scan_jsonl(Path("a.jsonl"), max_line_bytes=9))
    scanned(found[-1:])


FORCE = "run `exaid-evals compute-metrics --force`"
READ = [
    Row(
        "check its permissions",
        refusing(lambda: read_regular(Path("a"), 9)),
        lambda: read_regular(Path("a"), 9),
        files={"a": "x"},
    ),
    Row(
        "check its permissions, or name another folder",
        refusing(lambda: require_writable(Path("out"))),
        lambda: require_writable(Path("out")),
    ),
    Row(
        "remove the file",
        limited(jsonl, "MAX_SKIPPED_BYTES", 8, lines_of_a),
        lines_of_a,
        files={"a.jsonl": "x" * 99},
        then={"a.jsonl": '{"a":1}\n'},
    ),
    Row(
        "make the parts again",
        lambda: joined("case-1000"),
        lambda: joined("case-1000", "case-1001", "case-1002"),
        before=FRESH,
    ),
    Row("make the traces again", lambda: from_records([], where="t"), lambda: from_records(trace_records(), where="t")),
    Row(
        "split it, one file a conversation",
        limited(source, "MAX_FILE_BYTES", 9, lambda: source.Source(Path("a.txt")).text),
        limited(source, "MAX_FILE_BYTES", 9, lambda: [source.Source(Path(name)).text for name in ("b.txt", "c.txt")]),
        files={"a.txt": "x" * 12, "b.txt": "x" * 6, "c.txt": "x" * 6},
    ),
    Row("correct the part", lambda: written(5), lambda: written("Fever.")),
    Row(
        "correct the ids",
        lambda: corrected_measures(Campaign(Path("data")), "V3", [Label("case-77", "V3", {"coverage": 0.5})]),
        lambda: corrected_measures(Campaign(Path("data")), "V3", [Label("case-1000", "V3", {"coverage": 0.5})]),
        before=FRESH,
    ),
    Row(
        "give it another name",
        lambda: load_measures(MetricsConfig(measures=("remedies.own_parts:known_measures",))),
        lambda: load_measures(MetricsConfig(measures=("remedies.own_parts:other_measures",))),
    ),
    Row(
        "give it another name",
        lambda: check_comparisons(Campaign(Path("data")), MetricsConfig(), ["comparisons", "V3"]),
        lambda: check_comparisons(Campaign(Path("data")), MetricsConfig(), ["V9", "V3"]),
    ),
    Row(
        FORCE,
        lambda: _read(Path("data/metrics/V9.metrics.jsonl")),
        before=lambda: write_jsonl(Path("data/metrics/V9.metrics.jsonl"), metrics_records("V3")),
        does=(lambda: write_jsonl(Path("data/metrics/V9.metrics.jsonl"), metrics_records("V9")),),
    ),
]
ROWS = [*VALIDATED, *READ]
