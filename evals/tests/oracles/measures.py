"""Every measure a second time: slow, obvious, from the files' own terms, sharing no code with the first.

Concepts are words of two or more capitals, as `conversations.WordExtractor` has them. Texts that failed say nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from statistics import mean

from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import Trace
from oracles.extraction import labelled_measures

BUDGETS = (250, 500, 1000, 2000)
TAUS = (0.85, 0.90, 0.95)


def measures(
    trace: Trace, log: RunLog, budgets: Sequence[int] = BUDGETS, policy: str = "cut"
) -> dict[str, float | None]:
    """Return every measure of DESIGN.md, section 7, by name."""
    conversation = [message.content for message in trace.messages]
    said = set().union(*(concepts(text) for text in conversation))
    updates = sorted(log.summaries, key=lambda update: (update.t_ms, update.event_index))
    valid = [update for update in updates if update.schema_ok]
    told = set().union(*(concepts(update.semantics_text) for update in valid))
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
        "coverage": len(said & told) / len(said) if said else None,
        "unsupported": len(told - said) / len(told) if told else None,
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
        "concept_delay_ms_p50": percentile(delays(trace, valid, said), 50),
        "concept_delay_ms_p95": percentile(delays(trace, valid, said), 95),
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
    for budget in budgets:
        found[f"coverage_at_{budget}"] = coverage_of_first(4 * budget, updates, said, policy)
    largest = 4 * max(budgets)
    # The exact area under a step function that can step only at whole characters.
    heights = [coverage_of_first(n_chars, updates, said, policy) for n_chars in range(largest)] if said else []
    found["coverage_auc"] = sum(heights) / largest if said else None
    texts = [update.semantics_text if update.schema_ok else "" for update in updates]
    for tau in TAUS:
        for name, alike in (("redundancy", jaccard), ("redundancy_text", cosine)):
            pairs = [alike(texts[i], texts[i + 1]) >= tau for i in range(len(texts) - 1)]
            found[f"{name}_{tau:.2f}"] = sum(pairs) / len(pairs) if pairs else None
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


def coverage_of_first(n_chars: int, updates: Sequence[Summary], said: set[str], policy: str) -> float | None:
    """Coverage of the first characters of the output, by walking through it update by update."""
    if not said:
        return None
    reached: set[str] = set()
    left = n_chars
    for update in updates:
        text = update.rendered_text
        fits = len(text) <= left
        if update.schema_ok and (fits or policy == "cut"):
            for match in re.finditer(r"\b[A-Z]{2,}\b", text):
                if match.end() <= left:
                    reached.add(match.group())
        if not fits:
            break
        left -= len(text)
    return len(reached & said) / len(said)


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


def delays(trace: Trace, valid: Sequence[Summary], said: set[str], ms_per_char: int = 10) -> list[int]:
    """Waiting time of each concept that is both said and told; text arrives at 10 ms a character."""
    said_at: dict[str, int] = {}
    free_at = 0
    for message in trace.messages:
        start = max(message.t_rel_ms, free_at)
        free_at = start + len(message.content) * ms_per_char
        for match in re.finditer(r"\b[A-Z]{2,}\b", message.content):
            said_at.setdefault(match.group(), start + match.end() * ms_per_char)
    waits = []
    for concept in sorted(said):
        told_at = [update.t_ms for update in valid if concept in concepts(update.semantics_text)]
        if told_at:
            waits.append(told_at[0] - said_at[concept])
    return waits


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
