"""Every measure a second time: slow, obvious, from the files' own terms, sharing no code with the first.

Concepts are words of two or more capitals, as `conversations.WordExtractor` has them. Texts that failed say nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from statistics import mean
from typing import Any

import numpy as np
from statsmodels.duration.survfunc import SurvfuncRight

from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import Trace
from oracles.extraction import labelled_measures

BUDGETS = (250, 500, 1000, 2000)
TAUS = (0.85, 0.90, 0.95)
REASONS = (
    *("min_words", "max_words", "boundary_cue", "silence", "max_wait"),
    *("fixed_ctu", "message", "turn_end", "end_of_trace"),
)


def measures(
    trace: Trace, log: RunLog, budgets: Sequence[int] = BUDGETS, policy: str = "cut"
) -> dict[str, float | None]:
    """Return every measure of DESIGN.md, section 7, by name."""
    conversation = [message.content for message in trace.messages]
    said = set().union(*(concepts(text) for text in conversation))
    updates = sorted(log.summaries, key=lambda update: (update.t_ms, update.event_index))
    valid = [update for update in updates if update.schema_ok]
    stated = set().union(*(concepts(update.semantics_text) for update in valid))
    said_at, over_at = heard(trace)
    reported_at = reported(valid, said_at)
    calls = [event.llm_usage for event in (*log.summaries, *log.decisions) if event.llm_usage]
    of_trigger = [event.llm_usage for event in log.decisions if event.llm_usage]
    output, input_ = sum(units(update.rendered_text) for update in updates), sum(map(units, conversation))
    found: dict[str, float | None] = {
        "update_count": len(updates),
        "output_ctu": output,
        "trace_ctu": input_,
        "trace_messages": len(conversation),
        "trace_concepts": len(said),
        "compression": output / input_ if input_ else None,
        "ctu_saved": (input_ - output) / input_ if input_ else None,
        "coverage": len(reported_at) / len(said) if said else None,
        "concepts_told": len(reported_at),
        "concepts_never_told": len(said) - len(reported_at),
        "anticipated": len(early(valid, said_at)) / len(stated) if stated else None,
        "unsupported": len(stated - said) / len(stated) if stated else None,
        "unsupported_per_update": average([outside(concepts(update.semantics_text), said) for update in valid]),
        "window_unsupported": average(
            [outside(concepts(update.semantics_text), window(trace, log, update)) for update in valid]
        ),
        "contract_unsupported": average(
            [
                outside(
                    concepts(update.semantics_text),
                    window(trace, log, update) | (concepts(valid[number - 1].semantics_text) if number else set()),
                )
                for number, update in enumerate(valid)
            ]
        ),
        "time_to_first_update_ms": min([update.t_ms for update in valid], default=None),
        "concept_delay_ms_p50": percentile([t_ms - said_at[one] for one, t_ms in reported_at.items()], 50),
        "concept_delay_ms_p95": percentile([t_ms - said_at[one] for one, t_ms in reported_at.items()], 95),
        "llm_calls": sum(usage["calls"] for usage in calls),
        "prompt_ctu": sum(usage["prompt_ctu"] for usage in calls),
        "completion_ctu": sum(usage["completion_ctu"] for usage in calls),
        "trigger_calls": sum(usage["calls"] for usage in of_trigger),
        "trigger_ctu": sum(usage["prompt_ctu"] + usage["completion_ctu"] for usage in of_trigger),
        "schema_failure_rate": (len(updates) - len(valid)) / len(updates) if updates else None,
    }
    for prefix, events in (("latency_ms", log.summaries), ("trigger_latency_ms", log.decisions)):
        times = [event.latency_ms for event in events]
        found[f"{prefix}_mean"] = average(times)
        found[f"{prefix}_p50"] = percentile(times, 50)
        found[f"{prefix}_p95"] = percentile(times, 95)
    last_at = max([over_at, *(update.t_ms for update in updates)])
    found |= waits(said_at, reported_at, last_at)
    found |= lags(trace, log, updates, valid, said_at)
    found |= flow(log, valid, over_at, last_at, output)
    for budget in budgets:
        found[f"coverage_at_{budget}"] = coverage_of_first(4 * budget, updates, said_at, policy)
    largest = 4 * max(budgets)
    # The exact area under a step function that can step only at whole characters.
    heights = [coverage_of_first(n_chars, updates, said_at, policy) for n_chars in range(largest)] if said else []
    found["coverage_auc"] = sum(heights) / largest if said else None
    texts = [update.semantics_text if update.schema_ok else "" for update in updates]
    for tau in TAUS:
        for name, alike in (("redundancy", jaccard), ("redundancy_text", cosine)):
            pairs: list[bool] = [alike(texts[i], texts[i + 1]) >= tau for i in range(len(texts) - 1)]
            found[f"{name}_{tau:.2f}"] = sum(pairs) / len(pairs) if pairs else None
    alike_by = [jaccard(texts[i], texts[i + 1]) for i in range(len(texts) - 1)]
    found["jaccard_mean"] = average(alike_by)
    again = [
        any(concept in concepts(earlier) for earlier in texts[:i])
        for i in range(len(texts))
        for concept in concepts(texts[i])
    ]
    found["restated"] = sum(again) / len(again) if again else None
    return found | labelled_measures(trace, log, updates, found["coverage"], budgets, policy)


def units(text: str) -> int:
    """CTU."""
    return math.ceil(len(text) / 4)


def concepts(text: str) -> set[str]:
    """Ids that a text states."""
    return set(re.findall(r"\b[A-Z]{2,}\b", text))


def outside(stated: set[str], support: set[str]) -> float:
    """Share of what is stated that has no support."""
    return len(stated - support) / len(stated) if stated else 0


def average(values: Sequence[float]) -> float | None:
    """Mean, None of nothing."""
    return mean(map(float, values)) if values else None


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Type 7 percentile with exact fractions."""
    if not values:
        return None
    ordered = sorted(values)
    position = Fraction(percent, 100) * (len(ordered) - 1)
    low = math.floor(position)
    high = math.ceil(position)
    return float(ordered[low] + (position - low) * (ordered[high] - ordered[low]))


def coverage_of_first(n_chars: int, updates: Sequence[Summary], said_at: dict[str, int], policy: str) -> float | None:
    """Coverage of the first characters of the output, by walking through it update by update."""
    if not said_at:
        return None
    reached: set[str] = set()
    left = n_chars
    for update in updates:
        text = update.rendered_text
        fits = len(text) <= left
        if update.schema_ok and (fits or policy == "cut"):
            for match in re.finditer(r"\b[A-Z]{2,}\b", update.semantics_text):
                place = text.find(update.semantics_text)
                end = len(text) if place < 0 else place + match.end()
                if end <= left and said_at.get(match.group(), math.inf) <= update.t_ms:
                    reached.add(match.group())
        if not fits:
            break
        left -= len(text)
    return len(reached) / len(said_at)


def window(trace: Trace, log: RunLog, update: Summary) -> set[str]:
    """Concepts of the flushes that an update covers, by marking each covered character of each message."""
    covered = [[False] * len(message.content) for message in trace.messages]
    for index in update.flush_indices:
        flush = log.flushes[index]
        for seq, marks in enumerate(covered):
            for char in range(len(marks)):
                if (flush.start_seq, flush.start_char) <= (seq, char) < (flush.end_seq, flush.end_char):
                    marks[char] = True
    found: set[str] = set()
    for message, marks in zip(trace.messages, covered, strict=True):
        kept = "".join(char if mark else "\0" for char, mark in zip(message.content, marks, strict=True))
        found |= set().union(*(concepts(part) for part in kept.split("\0")))
    return found


def heard(trace: Trace, ms_per_char: int = 10) -> tuple[dict[str, int], int]:
    """When each concept was first said, whole, and when all was said; from a start text arrives at 10 ms a character.

    `conversations.conversation` leaves time for that between its messages.
    """
    said_at: dict[str, int] = {}
    for message in trace.messages:
        for match in re.finditer(r"\b[A-Z]{2,}\b", message.content):
            said_at.setdefault(match.group(), (message.t_rel_ms or 0) + match.end() * ms_per_char)
    last = trace.messages[-1]
    return said_at, (last.t_rel_ms or 0) + len(last.content) * ms_per_char


def said_units(trace: Trace, t_ms: int, ms_per_char: int = 10) -> int:
    """CTU that had been said by a time, character by character."""
    total = 0
    for message in trace.messages:
        start = message.t_rel_ms or 0
        arrived = sum(start + (char + 1) * ms_per_char <= t_ms for char in range(len(message.content)))
        total += math.ceil(arrived / 4)
    return total


def reported(valid: Sequence[Summary], said_at: dict[str, int]) -> dict[str, int]:
    """When the first update stated each concept after it had been said."""
    found = {}
    for concept, t_ms in sorted(said_at.items()):
        times = [one.t_ms for one in valid if concept in concepts(one.semantics_text) and one.t_ms >= t_ms]
        if times:
            found[concept] = times[0]
    return found


def early(valid: Sequence[Summary], said_at: dict[str, int]) -> list[str]:
    """Concepts whose first statement in an update came before they were said."""
    found = []
    for concept, t_ms in sorted(said_at.items()):
        times = [one.t_ms for one in valid if concept in concepts(one.semantics_text)]
        if times and times[0] < t_ms:
            found.append(concept)
    return found


def waits(said_at: dict[str, int], reported_at: dict[str, int], last_at: int, horizon: int = 60_000) -> dict[str, Any]:
    """Kaplan–Meier by statsmodels, and the area under its curve in steps of what it gives."""
    if not said_at:
        return {"concept_delay_km_p50": None, "concept_delay_rmst": None}
    names = sorted(said_at)
    times = [reported_at.get(name, last_at) - said_at[name] for name in names]
    fitted = SurvfuncRight(np.array(times, dtype=float), np.array([name in reported_at for name in names], dtype=float))
    steps = list(zip(fitted.surv_times.tolist(), fitted.surv_prob.tolist(), strict=True))
    half = [time for time, survival in steps if survival <= 0.5 + 1e-9]
    area, last, height = 0.0, 0.0, 1.0
    for time, survival in steps:
        area += (min(time, horizon) - min(last, horizon)) * height
        last, height = time, survival
    return {
        "concept_delay_km_p50": half[0] if half else None,
        "concept_delay_rmst": area + max(0, horizon - last) * height,
    }


def lags(
    trace: Trace, log: RunLog, updates: Sequence[Summary], valid: Sequence[Summary], said_at: dict[str, int]
) -> dict[str, float | None]:
    """Every lag, unit by unit."""
    found: dict[str, float | None] = {}
    for ending in ("", "_without_latency"):

        def came(update: Summary, ending: str = ending) -> int:
            return max(log.flushes[index].t_ms for index in update.flush_indices) if ending else update.t_ms

        of_concepts = []
        for concept, t_ms in reported(valid, said_at).items():
            first = next(one for one in valid if one.t_ms == t_ms and concept in concepts(one.semantics_text))
            of_concepts.append(sum(said <= came(first) for said in said_at.values()))
        of_units = [
            said_units(trace, came(update))
            for update in sorted(updates, key=came)
            for _ in range(units(update.rendered_text))
        ]
        length = sum(units(message.content) for message in trace.messages)
        for over, delays_, source, target in (
            ("", sorted(of_concepts), len(said_at), len(said_at)),
            ("_ctu", of_units, length, len(of_units)),
        ):
            found[f"lag_al{over}{ending}"] = lagging(delays_, source, target)
            found[f"lag_laal{over}{ending}"] = lagging(delays_, source, max(target, len(delays_)))
            found[f"lag_dal{over}{ending}"] = differentiable(delays_, source)
    return found


def lagging(delays_: Sequence[int], source: int, target: int) -> float | None:
    """Average lagging as the paper writes it: up to the first unit at which all had been said."""
    if not delays_ or not source or not target:
        return None
    whole = [number for number, delay in enumerate(delays_, start=1) if delay >= source]
    tau = whole[0] if whole else len(delays_)
    return float(sum(Fraction(delays_[i]) - Fraction(i * source, target) for i in range(tau)) / tau)


def differentiable(delays_: Sequence[int], source: int) -> float | None:
    """Differentiable average lagging as the paper writes it."""
    if not delays_ or not source:
        return None
    step = Fraction(source, len(delays_))
    slowed: list[Fraction] = []
    for delay in delays_:
        slowed.append(max(Fraction(delay), slowed[-1] + step) if slowed else Fraction(delay))
    return float(sum(one - number * step for number, one in enumerate(slowed)) / len(slowed))


def flow(log: RunLog, valid: Sequence[Summary], over_at: int, last_at: int, output: int) -> dict[str, float | None]:
    """Silences, what comes in a minute, flushes, and whose latency it is."""
    times = [0, *(update.t_ms for update in valid)]
    gaps = [times[i + 1] - times[i] for i in range(len(times) - 1)] + [max(0, over_at - times[-1])]
    reasons = [flush.reason for flush in log.flushes]
    between = [log.flushes[i + 1].t_ms - log.flushes[i].t_ms for i in range(len(reasons) - 1)]
    of_trigger = sum(decision.latency_ms for decision in log.decisions)
    of_both = of_trigger + sum(summary.latency_ms for summary in log.summaries)
    return {
        "silence_count": len([gap for gap in gaps if gap >= 15_000]),
        "silence_ms_total": sum(gap for gap in gaps if gap >= 15_000),
        "silence_ms_max": max(gaps),
        "updates_per_minute": len(valid) / (last_at / 60_000) if last_at else None,
        "output_ctu_per_minute": output / (last_at / 60_000) if last_at else None,
        "flush_count": len(reasons),
        "flush_ctu_p50": percentile([flush.ctu for flush in log.flushes], 50),
        "flush_words_p50": percentile([flush.words for flush in log.flushes], 50),
        "flush_interval_ms_p50": percentile(between, 50),
        "flush_interval_ms_p95": percentile(between, 95),
        **{f"flush_share_{name}": reasons.count(name) / len(reasons) if reasons else None for name in REASONS},
        "latency_share_trigger": of_trigger / of_both if of_both else None,
        "latency_share_summarizer": (of_both - of_trigger) / of_both if of_both else None,
    }


def jaccard(one: str, other: str) -> float:
    """Of the texts' concepts; 0 for two empty sets."""
    union = concepts(one) | concepts(other)
    return len(concepts(one) & concepts(other)) / len(union) if union else 0


def cosine(one: str, other: str) -> float:
    """Of the texts' word counts."""
    words = sorted({*one.lower().split(), *other.lower().split()})
    a = [one.lower().split().count(word) for word in words]
    b = [other.lower().split().count(word) for word in words]
    squares = sum(x * x for x in a) * sum(y * y for y in b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(squares) if squares else 0
