"""A small publication in upstream's layout, made by hand: two cases, two policies."""

from __future__ import annotations

import gzip
import hashlib
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from exaid_evals.replication.published import PublishedTrace, Turn

EPOCH_MS = 1_766_615_000_000
CASES = ("case-1", "case-2")


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Write records as upstream does: sorted keys, gzipped, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n" for record in records)
    path.write_bytes(gzip.compress(lines.encode(), mtime=0))


def lines_of(path: Path) -> list[str]:
    """Return a file's lines, each with its newline."""
    return gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)


def trace(case_id: str) -> list[dict[str, Any]]:
    """Return a trace of two turns that overlap: the second begins, and the first's last delta comes after its end."""
    records: list[dict[str, Any]] = []

    def add(kind: str, turn_id: int, agent_id: str, t_rel_ms: int, **more: Any) -> None:
        stamp = "t_emitted_ms" if kind == "stream_delta" else "t_ms"
        shared = {"case_id": case_id, "seq": len(records), "turn_id": turn_id, "agent_id": agent_id}
        records.append({"record_type": kind, **shared, "t_rel_ms": t_rel_ms, stamp: EPOCH_MS + t_rel_ms, **more})

    def end(turn_id: int, agent_id: str, t_rel_ms: int, text: str) -> None:
        content_hash = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        add("turn_boundary", turn_id, agent_id, t_rel_ms, boundary="end", content_hash=content_hash)

    add("turn_boundary", 1, "unknown", -500, boundary="start")
    add("stream_delta", 1, "unknown", 0, delta_text="Sei")
    add("stream_delta", 1, "unknown", 40, delta_text="zure")
    add("turn_boundary", 2, "doctor0", 60, boundary="start")
    end(1, "unknown", 70, "Seizure")
    add("stream_delta", 1, "unknown", 80, delta_text=" and")
    add("stream_delta", 2, "doctor0", 90, delta_text=" ata")
    add("stream_delta", 2, "doctor0", 2000, delta_text="xia.")
    end(2, "doctor0", 2100, " ataxia.")
    meta = {"record_type": "trace_meta", "case_id": case_id, "schema_version": "2.0.0", "model": "model-1"}
    return [{**meta, "mac_commit": "0" * 40, "t0_emitted_ms": EPOCH_MS, "total_deltas": 5, "total_turns": 2}, *records]


def run(case_id: str, variant_id: str, policy: str) -> list[dict[str, Any]]:
    """Return a run log: two flushes out of order in time, a decision that holds, a valid and a failed summary."""
    head = {"case_id": f"{case_id}.trace", "variant_id": variant_id}

    def usage(prompt: int, completion: int) -> dict[str, Any]:
        return {"prompt_ctu": prompt, "completion_ctu": completion, "model_id": "m"}

    def flush(index: int, timestamp: str, start: int, end: int, reason: str) -> dict[str, Any]:
        seqs = {"start_seq": start, "end_seq": end, "accumulated_ctu": 10 + index}
        return {"record_type": "tokengate_flush", **head, "flush_index": index, "timestamp": timestamp, **seqs,
                "trigger_reason": reason}  # fmt: skip

    def event(kind: str, latency_ms: int, prompt: int, completion: int, **more: Any) -> dict[str, Any]:
        shared = {"start_seq": 0, "end_seq": 7, "timestamp": "2025-12-24T22:23:25.500Z", "latency_ms": latency_ms}
        return {"record_type": kind, **head, **shared, "llm_usage": usage(prompt, completion), **more}

    def summary(index: int, text: str, *, ok: bool, latency_ms: int) -> dict[str, Any]:
        names = {"event_index": index, "event_id": f"{case_id}-se-{index}"}
        latest = f"{case_id}-se-{index - 1}" if index else None
        texts = {"summary_semantics_text": text, "summary_ctu": 12, "latest_summary_event_id": latest}
        return event("summary_event", latency_ms, 100, 20, schema_ok=ok, **names, **texts)

    decision = event("buffer_decision", 900, 50, 5, decision_index=0, decision="buffer")
    return [
        {
            "record_type": "run_meta",
            **head,
            "schema_version": "1.5.0",
            "trigger_policy": policy,
            "history_k": 3,
            "timestamp_derivation": {"derived_from_t_emitted": 7, "derived_from_fallback": 0},
        },
        flush(0, "2025-12-24T22:23:22.000Z", 0, 2, "boundary_cue"),
        flush(1, "2025-12-24T22:23:21.000Z", 3, 5, "silence_timer"),
        flush(2, "2025-12-24T22:23:25.500Z", 6, 7, "end_of_trace"),
        decision,
        summary(0, "Seizure reported.", ok=True, latency_ms=1000),
        summary(1, "", ok=False, latency_ms=2000),
        summary(2, "Ataxia and seizure.", ok=True, latency_ms=3000 if case_id == "case-1" else 4000),
    ]


LIMITS = {"min_words": 60, "max_words": 100, "silence_timer_ms": 1000, "max_wait_timeout_ms": 4000}


def write_calibration(folder: Path, *, limits: dict[str, Any] = LIMITS, valid_policies_count: int = 625) -> None:
    """Write a summary of a calibration, of which only the frozen limits and the number of policies are given."""
    (folder / "calibration").mkdir()
    document = {
        "policy_validity": {"valid_policies_count": valid_policies_count},
        "selection": {"selected_parameters": limits},
    }
    (folder / "calibration" / "calibration_summary.json").write_text(json.dumps(document))


def conversation(said: list[tuple[str, int, str]]) -> PublishedTrace:
    """Return a conversation in memory: `(agent, t_ms, delta)` in order, a turn for each agent in a row."""
    turns: list[Turn] = []
    deltas: list[dict[str, Any]] = []
    seq = 0
    for agent_id, of_turn in groupby(said, key=lambda one: one[0]):
        parts = [(t_ms, text) for _, t_ms, text in of_turn]
        for number, (t_ms, text) in enumerate(parts, start=seq + 1):
            record = {"seq": number, "turn_id": len(turns) + 1, "agent_id": agent_id, "t_rel_ms": t_ms}
            deltas.append({**record, "delta_text": text})
        seq += len(parts) + 1
        turns.append(Turn(len(turns) + 1, agent_id, parts[0][0], parts[-1][0], seq, tuple(parts)))
        seq += 1
    meta = {"case_id": "case-1", "t0_emitted_ms": EPOCH_MS, "model": "model-1", "mac_commit": "0" * 40}
    return PublishedTrace(meta, tuple(deltas), tuple(turns))


POLICIES = {"V0": "full_exaid", "V2": "no_buffer"}


def publish(folder: Path) -> Path:
    """Write the publication, with the aggregate of V0 computed by hand."""
    for case_id in CASES:
        write(folder / "traces" / f"{case_id}.trace.jsonl.gz", trace(case_id))
        for variant_id, policy in POLICIES.items():
            write(folder / "runs" / variant_id / f"{case_id}.trace.jsonl.gz", run(case_id, variant_id, policy))
    (folder / "metrics").mkdir()
    aggregate = {
        "variants": {
            "V0": {
                "m1_update_count_mean": 3.0,
                "m2_output_ctu_mean": 36.0,
                "m8_latency_ms_mean": {"summary": 13000 / 6, "buffer_decision": 900.0},
                "m9_usage_ctu_mean": {"prompt": 350.0, "completion": 65.0, "total": 415.0},
                "m10_compliance": {"schema_failure_count": 2},
                "flush_statistics": {"flush_interval_ms_distribution": {"count": 2, "mean": 3500.0}},
                "m4_trace_coverage": {"mean": 0.5},
            }
        }
    }
    (folder / "metrics" / "aggregate.metrics.json").write_text(json.dumps(aggregate))
    return folder
