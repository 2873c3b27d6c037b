"""Valid records of every kind, and whole campaigns of them, for tests and benchmarks.

Built from the contracts, not by the package's writers: a test that used the writer to feed the checker would pass
when both are wrong.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.schemas import header
from exaid_evals.config.campaign import Campaign

Record = dict[str, Any]

MAC_COMMIT = "896a5deb4d6db7a2c872630a6638da4da3b0f4d4"
MODEL = "stub-mac-1"
SIGNATURE = "exaid-evals/1.0|traces:aaaaaaaa|cfg:bbbbbbbb|concepts:lexicon-1|llm:stub-1|boot:10000/42|stub:yes"
FIELDS = (
    "status_action",
    "key_findings",
    "differential_rationale",
    "uncertainty_confidence",
    "recommendation_next_step",
    "agent_contributions",
)
_TEXT = (
    "the patient has fever and a rash with raised CRP since two weeks we should consider lupus or sarcoidosis "
    "against infection no weight loss however ANA was positive MRI shows lesions naïve T-cells β-blocker 40 mg"
)
_WORDS = _TEXT.split()


def sha256(text: str) -> str:
    """Hash a text as records do."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def canonical(value: Any) -> str:
    """Write a structure of integers and texts canonically."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def opening(schema_name: str) -> Record:
    """Return the fields that open a record of the current version."""
    return header(schema_name)


def units(text: str) -> int:
    """Return a text's CTU, by another formula than the package's."""
    return (len(text) + 3) // 4


def conversation(rng: random.Random, n_chars: int) -> str:
    """Return prose of about so many characters."""
    words: list[str] = []
    length = 0
    while length < n_chars:
        word = rng.choice(_WORDS) + ("." if rng.random() < 0.08 else "")
        words.append(word)
        length += len(word) + 1
    return " ".join(words)


def case_ids(n_cases: int) -> list[str]:
    """Return so many ids, sorted."""
    return [f"case-{1000 + number}" for number in range(n_cases)]


def mas_run_id(cases: Sequence[str]) -> str:
    """Return the id of a generation about these cases."""
    text = json.dumps({"mac_commit": MAC_COMMIT, "model": MODEL, "cases": list(cases)}, sort_keys=True)
    return f"mas-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def trace_records(
    case_id: str = "case-1000", *, n_messages: int = 4, n_chars: int = 60, cases: Sequence[str] = ("case-1000",)
) -> list[Record]:
    """Return a valid trace of a stub conversation."""
    rng = random.Random(case_id)  # noqa: S311 - not for secrets
    epoch = datetime(2024, 12, 19, 12, tzinfo=UTC)
    records, t_ms = [], 0
    for number in range(n_messages):
        content = conversation(rng, n_chars)
        stamp = (epoch + timedelta(milliseconds=t_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        half = len(content) // 2
        records.append(
            {
                **opening("exaid.trace"),
                "trace_id": f"trc-{case_id.removeprefix('case-')}-{number:03d}",
                "case_id": case_id,
                "agent_id": "supervisor" if number == 0 else f"doctor{number % 3}",
                "sequence_num": number,
                "timestamp": stamp,
                "t_rel_ms": t_ms,
                "content": content,
                "content_sha256": sha256(content),
                "text_units_ctu": units(content),
                "stream": [[t_ms, half], [t_ms + 700, len(content) - half]],
                "metadata": {
                    "mas_run_id": mas_run_id(cases),
                    "mac_commit": MAC_COMMIT,
                    "model": MODEL,
                    "status": "success",
                    "stub": True,
                    "gold_concepts": ["HP:0001945", "HP:0000988"],
                },
            }
        )
        t_ms += 1250 + rng.randrange(3000)
    return records


def failed_trace_records(case_id: str = "case-1000", *, cases: Sequence[str] = ("case-1000",)) -> list[Record]:
    """Return the one record of a failed case."""
    record = trace_records(case_id, n_messages=1, cases=cases)[0]
    content = "[FAILED] the model returned nothing"
    del record["stream"], record["metadata"]["gold_concepts"]
    record["metadata"] |= {"status": "failed", "failure_reason": "the model returned nothing"}
    record |= {"agent_id": "_system", "content": content, "content_sha256": sha256(content), "text_units_ctu": 0}
    return [record]


def manifest_record(traces: Mapping[str, Sequence[Record]]) -> Record:
    """Return the manifest of traces, case id → records."""
    cases = sorted(traces)
    entries = [
        {
            "case_id": case_id,
            "path": f"traces/{case_id}.jsonl.gz",
            "sha256": sha256("".join(canonical(record) + "\n" for record in traces[case_id])),
            "n_records": len(traces[case_id]),
            "text_units_ctu": sum(record["text_units_ctu"] for record in traces[case_id]),
            "status": traces[case_id][0]["metadata"]["status"],
        }
        for case_id in cases
    ]
    return {
        **opening("exaid.manifest"),
        "experiment_id": "exp-mac-traces-20241219-120000",
        "created_at": "2024-12-19T12:00:00Z",
        "config_hash": sha256("config"),
        "mas_generation_config": {
            "mas_run_id": mas_run_id(cases),
            "mac_commit": MAC_COMMIT,
            "base_model": MODEL,
            "decoding_note": "simulated",
            "text_unit": {"name": "CTU", "definition": "ceil(len(text) / 4)", "applies_to": "input_and_output"},
            "selection_mode": "all",
            "selection_seed": 42,
            "n_cases_selected": len(cases),
            "n_cases_available": len(cases),
            "case_list_hash": sha256(json.dumps(cases, sort_keys=True)),
            "ordered_case_list": cases,
        },
        "stub": True,
        "traces": entries,
        "trace_dataset_hash": sha256(canonical(entries)),
    }


def case_record(case_id: str = "case-1000") -> Record:
    """Return a synthetic case."""
    sections = {"Basic Information": "A girl of six.", "Clinical Presentation": "Fever and a rash."}
    return {
        **opening("exaid.case"),
        "case_id": case_id,
        "source": "synthetic",
        "category": "rheumatology",
        "diagnosis": "Kawasaki disease",
        "initial_presentation": sections,
        "follow_up_presentation": {**sections, "Further Diagnostic Tests": "Echocardiography."},
    }


def _usage(text: str) -> Record:
    return {
        "calls": 1,
        "prompt_ctu": 400,
        "completion_ctu": units(text),
        "provider_prompt_tokens": None,
        "provider_completion_tokens": None,
    }


def run_records(
    trace: Sequence[Record], variant_id: str = "V3", *, manifest: Record | None = None, n_chars: int = 40
) -> list[Record]:
    """Return a valid run log of a trace: one flush and one decision a message, a summary every other message."""
    manifest = manifest or manifest_record({trace[0]["case_id"]: trace})
    case_id = str(trace[0]["case_id"])
    config = {"variant": {"variant_id": variant_id, "history_k": 3}, "llm": {"temperature": 0.25}}
    config["stream"] = {"chars_per_second": 120}
    failed = trace[0]["metadata"]["status"] == "failed"
    meta = {
        **opening("exaid.run"),
        "record_type": "run_meta",
        "case_id": case_id,
        "variant_id": variant_id,
        "status": "skipped_failed_trace" if failed else "ok",
        "eval_run_id": "eval-0123456789abcdef",
        "mas_run_id": trace[0]["metadata"]["mas_run_id"],
        "trace_sha256": sha256("".join(canonical(record) + "\n" for record in trace)),
        "trace_dataset_hash": manifest["trace_dataset_hash"],
        "config": config,
        "config_hash": sha256(canonical(config)),
        "history_k": 3,
        "gate": {"kind": "message"},
        "trigger": {"kind": "llm", "filters": ["value"]},
        "summarizer": {"kind": "structured"},
        "llm": {"client": "stub", "model": "stub-1", "parameters": {}},
        "stub": True,
        "created_at": "2024-12-19T12:00:00Z",
        "versions": {"exaid-evals": "1.0.0"},
    }
    return [meta] if failed else [meta, *_events(trace, case_id, variant_id, n_chars)]


def _events(trace: Sequence[Record], case_id: str, variant_id: str, n_chars: int) -> list[Record]:
    rng = random.Random(f"{case_id} {variant_id}")  # noqa: S311 - not for secrets
    flushes: list[Record] = []
    decisions: list[Record] = []
    summaries: list[Record] = []
    for number, message in enumerate(trace):
        content, t_ms = message["content"], message["t_rel_ms"] + 1000
        flush = {"flush_index": number, "t_ms": t_ms, "start_seq": number, "end_seq": number, "start_char": 0}
        flush |= {"end_char": len(content), "ctu": units(content), "words": len(content.split()), "reason": "message"}
        flushes.append({**opening("exaid.run"), "record_type": "gate_flush", **flush, "text_sha256": sha256(content)})
        decision = {"decision_index": number, "flush_index": number, "t_ms": t_ms + 50, "latency_ms": 50}
        decision |= {"decision": "summarize" if number % 2 else "hold", "llm_usage": _usage("yes")}
        decision |= {"filters": {"completeness": bool(number % 2), "value": True, "novelty": None}}
        decisions.append({**opening("exaid.run"), "record_type": "trigger_decision", **decision})
        if number % 2:
            parts = {name: conversation(rng, n_chars) for name in FIELDS}
            rendered = "\n".join(parts.values())
            index = len(summaries)
            earlier = [summary["event_id"] for summary in summaries]
            summary: Record = {
                "event_index": index,
                "event_id": f"{case_id}-{variant_id}-se-{index:03d}",
                "t_ms": t_ms + 150,
                "start_seq": number - 1,
                "end_seq": number,
                "flush_indices": [number - 1, number],
                "schema_ok": True,
                "schema_error": None,
                "summary_content": parts,
                "semantics_text": "\n".join(list(parts.values())[:5]),
                "rendered_text": rendered,
                "summary_ctu": units(rendered),
                "latest_summary_event_id": earlier[-1] if earlier else None,
                "history_event_ids": earlier[-3:],
                "llm_usage": _usage(rendered),
                "latency_ms": 100,
            }
            summaries.append({**opening("exaid.run"), "record_type": "summary", **summary})
    return [*flushes, *decisions, *summaries]


def cassette_record(index: int, text: str, *, case_id: str = "case-1", repeat: int = 0) -> Record:
    """Return a valid record of a call of a model, as cassettes hold them."""
    request = {
        "task": "summary",
        "messages": [{"role": "system", "content": "Summarise."}, {"role": "user", "content": text}],
        "response_schema": {"type": "object"},
        "model": "m-1",
        "parameters": {"temperature": 0.25},
    }
    usage = {"calls": 1, "prompt_ctu": units("Summarise.") + units(text), "completion_ctu": units(text)}
    return {
        **opening("exaid.cassette"),
        "eval_run_id": "eval-0123456789abcdef",
        "variant_id": "V3",
        "case_id": case_id,
        "request_sha256": sha256(canonical(request)),
        "repeat": repeat,
        "call_index": index,
        "request": request,
        "response_text": text,
        "response_format": "text",
        "finish_reason": "stop",
        "usage": {**usage, "provider_prompt_tokens": None, "provider_completion_tokens": 3},
        "latency_ms": 200,
        "attempts": 1,
    }


def metrics_records(variant_id: str = "V3", *, cases: Sequence[str] = ("case-1000", "case-1001")) -> list[Record]:
    """Return a valid metrics file: every case, the last of which failed where there are more than two, then all."""
    common = {"variant_id": variant_id, "stub": True, "signature": SIGNATURE}
    records: list[Record] = []
    values = []
    for number, case_id in enumerate(cases):
        failed = len(cases) > 2 and number == len(cases) - 1
        coverage = round(0.5 + number / (7 * len(cases)), 6)
        measures = {} if failed else {"coverage": coverage, "redundancy_0.85": None}
        values += [] if failed else [coverage]
        status = "skipped_failed_trace" if failed else "ok"
        record = {"record_type": "case_metrics", "case_id": case_id, "status": status, "measures": measures}
        records.append({**opening("exaid.metrics"), **common, **record})
    undefined = dict.fromkeys(("mean", "sd", "median", "min", "max", "ci95_low", "ci95_high"))
    mean = round(sum(values) / len(values), 6)
    coverage_of_all = undefined | {"mean": mean, "median": mean, "min": min(values), "max": max(values)}
    everything = {
        "record_type": "variant_metrics",
        "n_cases": len(cases),
        "n_failed": len(cases) - len(values),
        "measures": {
            "coverage": {**coverage_of_all, "n": len(values), "n_undefined": 0},
            "redundancy_0.85": {**undefined, "n": 0, "n_undefined": len(values)},
        },
    }
    return [*records, {**opening("exaid.metrics"), **common, **everything}]


def export_record() -> Record:
    """Return a valid export of two runs."""
    runs = [
        {"run": name, "format": "exaid", "metrics": {"coverage": value}, "signature": SIGNATURE, "stub": True}
        for name, value in (("seed-42", 0.5), ("seed-43", 0.75))
    ]
    spread = {"mean": 0.625, "std": 0.125, "std_sample": 0.176777, "min": 0.5, "max": 0.75}
    of_t = {"ci95_t_low": -0.963275, "ci95_t_high": 2.213275}
    return {
        **opening("exaid.export"),
        "record_type": "export_summary",
        "runs": runs,
        "failed_runs": [],
        "aggregated": {
            "coverage": {**spread, "ci95_low": 0.38, "ci95_high": 0.87, "cv": 0.2, "n": 2, "n_missing": 0} | of_t
        },
        "groups": [{"name": "", "runs": ["seed-42", "seed-43"], "aggregated": {}}],
        "per_class": {},
        "best_run": {"run": "seed-43", "value": 0.75},
        "worst_run": {"run": "seed-42", "value": 0.5},
        "primary_metric": "coverage",
        "primary_direction": "higher",
        "group_by": "seed",
        "warnings": [],
        "signature": SIGNATURE,
        "signatures": [SIGNATURE],
        "stub": True,
    }


def write_campaign(
    root: Path,
    *,
    n_cases: int = 3,
    variants: Iterable[str] = ("V0", "V3"),
    n_messages: int = 4,
    n_chars: int = 60,
) -> Campaign:
    """Write a whole valid campaign, the last case of which failed, and return it."""
    campaign = Campaign(root)
    cases = case_ids(n_cases)
    shape = {"n_messages": n_messages, "n_chars": n_chars}
    traces = {case_id: trace_records(case_id, cases=cases, **shape) for case_id in cases[:-1]}
    traces[cases[-1]] = failed_trace_records(cases[-1], cases=cases)
    manifest = manifest_record(traces)
    write_jsonl(campaign.manifest_file, [manifest])
    write_jsonl(campaign.cases / "cases.jsonl", [case_record(case_id) for case_id in cases])
    for case_id, records in traces.items():
        write_jsonl(campaign.trace_file(case_id), records)
    for variant_id in variants:
        for case_id, records in traces.items():
            log = run_records(records, variant_id, manifest=manifest, n_chars=n_chars // 4)
            write_jsonl(campaign.run_file(variant_id, case_id), log)
        write_jsonl(campaign.metrics_file(variant_id), metrics_records(variant_id, cases=cases))
    write_jsonl(campaign.exports / "exported_summary.json", [export_record()])
    return campaign
