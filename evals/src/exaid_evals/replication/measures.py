"""The measures M1 to M10 of the published evaluation, by its own definitions.

Where a definition of ours is another, both are computed, each under its own name. What rests on a concept extractor is
in `concept_measures`: the published extractor (a spaCy model with an UMLS linker) is not to be had offline, so ours
stands beside it and never in its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.replication.published import PublishedRun, PublishedTrace
from exaid_evals.replication.records import Record

Values = dict[str, Any]
"""Name → number, None where undefined, or such a mapping below it."""

_QUANTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class CaseMeasures:
    """Measures of one case under one variant.

    Attributes:
        values: by the names of per_case.metrics.jsonl.
        latencies: of summaries and of buffer decisions, in ms; aggregates pool them over cases.
        flush_ctu, flush_intervals_ms: likewise.
    """

    values: Values
    latencies: tuple[list[float], list[float]]
    flush_ctu: list[float]
    flush_intervals_ms: list[float]


def joined_by_blanks(deltas: Sequence[Record]) -> str:
    """Return the text of a trace as upstream builds it: deltas that hold more than blanks, joined by one blank.

    Deltas are pieces of words, so most words of this text are torn: `dy sar thr ia`.
    """
    return " ".join(delta["delta_text"] for delta in deltas if delta["delta_text"].strip())


def distribution(values: Sequence[float]) -> Values | None:
    """Return count, extremes, mean and quantiles (linear between order statistics); None without values."""
    if not values:
        return None
    array = np.asarray(values, dtype=float)
    quantiles = {f"p{q}": float(np.percentile(array, q)) for q in _QUANTILES}
    return {
        "count": len(values),
        "max": float(array.max()),
        "mean": float(array.mean()),
        "min": float(array.min()),
        **quantiles,
    }


def flush_intervals_ms(flushes: Sequence[Record]) -> list[float]:
    """Return the times between flushes, in ms, without those that run back.

    A timer's flush is written when its agent speaks next, with the time at which the timer ran out, so that times in
    order of the index run back; upstream then goes on from the last moment that did not.
    """
    intervals: list[float] = []
    last: int | None = None
    for flush in flushes:
        now = _milliseconds(flush["timestamp"])
        if last is not None and now < last:
            continue
        if last is not None:
            intervals.append(float(now - last))
        last = now
    return intervals


def _milliseconds(timestamp: str) -> int:
    # Truncated through a float, as published: some moments lose a millisecond, and equal numbers need the same ones.
    return int(datetime.fromisoformat(timestamp).timestamp() * 1000)


def case_measures(trace: PublishedTrace, run: PublishedRun) -> CaseMeasures:
    """Return the measures of a case that need no concept extractor: M1, M2, M8, M9, M10, flushes and throughput."""
    of_summaries = [event["latency_ms"] for event in run.summaries if event["latency_ms"] is not None]
    of_decisions = [event["latency_ms"] for event in run.decisions if event["latency_ms"] is not None]
    usages = [event["llm_usage"] for event in (*run.summaries, *run.decisions)]
    prompt, completion = (sum(usage.get(f"{what}_ctu", 0) for usage in usages) for what in ("prompt", "completion"))
    n_failed = sum(not event["schema_ok"] for event in run.summaries)
    failure_rate = n_failed / len(run.summaries) if run.summaries else 0.0
    output_ctu = sum(event["summary_ctu"] for event in run.summaries)
    times = [delta["t_rel_ms"] for delta in trace.deltas]
    duration_ms = max(times) - min(times) if times else None
    trace_ctu = ctu(joined_by_blanks(trace.deltas))
    control, content = float(sum(of_decisions)), float(sum(of_summaries))
    flush_ctu = [float(flush["accumulated_ctu"]) for flush in run.flushes if flush["accumulated_ctu"] is not None]
    intervals = flush_intervals_ms(run.flushes)
    values: Values = {
        "m1_update_count": len(run.summaries),
        "m2_output_ctu": output_ctu,
        "m8_summary_latency_ms_mean": mean(of_summaries),
        "m8_summary_latency_distribution_ms": distribution(of_summaries),
        "m8_buffer_decision_latency_ms_mean": mean(of_decisions),
        "m8_buffer_decision_latency_distribution_ms": distribution(of_decisions),
        "m9_prompt_ctu_total": prompt,
        "m9_completion_ctu_total": completion,
        "m9_total_llm_ctu": prompt + completion,
        "m9_buffer_decision_count": len(run.decisions),
        "m10_schema_failure_count": n_failed,
        "m10_schema_failure_rate": failure_rate,
        "m10_compliance_rate": 1 - failure_rate,
        "excluded_from_faithfulness_count": n_failed,
        "faithfulness_valid_event_count": len(run.summaries) - n_failed,
        "flush_count": len(run.flushes),
        "flush_reason_counts": dict(Counter(flush["trigger_reason"] for flush in run.flushes)),
        "flush_accumulated_ctu_distribution": distribution(flush_ctu),
        "flush_interval_ms_distribution": distribution(intervals),
        "trace_ctu": trace_ctu,
        "virtual_time_duration_ms": duration_ms,
        "trace_ctu_per_s": trace_ctu / (duration_ms / 1000) if duration_ms else None,
        "summary_ctu_per_s": output_ctu / (duration_ms / 1000) if duration_ms else None,
        **_planes(control, content),
    }
    return CaseMeasures(values, (of_summaries, of_decisions), flush_ctu, intervals)


def _planes(control: float, content: float) -> Values:
    """Return the shares of latency that trigger (control plane) and summarizer (content plane) have."""
    total = control + content
    return {
        "control_plane_latency_ms": control,
        "content_plane_latency_ms": content,
        "total_plane_latency_ms": total,
        "control_plane_latency_pct": control / total if total > 0 else None,
        "content_plane_latency_pct": content / total if total > 0 else None,
    }


def aggregate(cases: Sequence[CaseMeasures]) -> Values:
    """Return the measures of a variant, by the names of aggregate.metrics.json.

    Latencies and flushes are pooled over cases; the other means are over cases.
    """
    rows = [case.values for case in cases]
    of_summaries = [value for case in cases for value in case.latencies[0]]
    of_decisions = [value for case in cases for value in case.latencies[1]]
    n_updates = sum(row["m1_update_count"] for row in rows)
    n_failed = sum(row["m10_schema_failure_count"] for row in rows)
    failure_rate = n_failed / n_updates if n_updates else 0.0
    reasons = sorted({reason for row in rows for reason in row["flush_reason_counts"]})
    planes = _planes(*(sum(row[f"{plane}_plane_latency_ms"] for row in rows) for plane in ("control", "content")))
    return {
        "n_cases": len(cases),
        "m1_update_count_mean": _mean_of(rows, "m1_update_count"),
        "m2_output_ctu_mean": _mean_of(rows, "m2_output_ctu"),
        "m8_latency_ms_mean": {"summary": mean(of_summaries), "buffer_decision": mean(of_decisions)},
        "m8_latency_ms_distribution": {
            "summary": distribution(of_summaries),
            "buffer_decision": distribution(of_decisions),
        },
        "m9_usage_ctu_mean": {
            "prompt": _mean_of(rows, "m9_prompt_ctu_total"),
            "completion": _mean_of(rows, "m9_completion_ctu_total"),
            "total": _mean_of(rows, "m9_total_llm_ctu"),
            "buffer_decision_count": _mean_of(rows, "m9_buffer_decision_count"),
        },
        "m10_compliance": {
            "summary_event_count": n_updates,
            "schema_failure_count": n_failed,
            "schema_failure_rate_mean": failure_rate,
            "compliance_rate_mean": 1 - failure_rate,
        },
        "schema_failures": n_failed,
        "excluded_from_faithfulness_count": n_failed,
        "faithfulness_valid_event_count": n_updates - n_failed,
        "flush_statistics": {
            "flush_count_mean": _mean_of(rows, "flush_count"),
            "flush_reason_counts_mean": {
                reason: mean([row["flush_reason_counts"].get(reason, 0) for row in rows]) for reason in reasons
            },
            "flush_accumulated_ctu_distribution": distribution([v for case in cases for v in case.flush_ctu]),
            "flush_interval_ms_distribution": distribution([v for case in cases for v in case.flush_intervals_ms]),
        },
        "virtual_time_throughput": {
            "duration_ms_mean": _mean_of(rows, "virtual_time_duration_ms"),
            "trace_ctu_mean": _mean_of(rows, "trace_ctu"),
            "trace_ctu_per_s_mean": _mean_of(rows, "trace_ctu_per_s"),
            "summary_ctu_per_s_mean": _mean_of(rows, "summary_ctu_per_s"),
        },
        "overhead_attribution": {
            f"{name}_total" if name.endswith("_ms") else name: value for name, value in planes.items()
        },
    }


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None of nothing."""
    return float(np.mean(values)) if values else None


def _mean_of(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return mean([row[name] for row in rows if row[name] is not None])
