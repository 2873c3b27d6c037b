"""One case as the page needs it: the conversation, every variant's updates, and where concepts stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.artifacts.text_units import FIELDS
from exaid_evals.concepts.base import AnnotatingExtractor, CachedExtractor, Extractor, Mention
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.metrics.measurer import Measuring, load_measuring_extractor, read_checked_run
from exaid_evals.metrics.measures.coverage import coverage
from exaid_evals.metrics.observation import Observation
from exaid_evals.metrics.observe import chars_per_second, observe_case, placed
from exaid_evals.replay.clock import MessageArrival, arrivals, require_within
from exaid_evals.replay.guard import GuardedExtractor
from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import Trace, read_trace

AFFIRMED, NEGATED, OF_ANOTHER = 0, 1, 2
"""What a mention is. Measures count those that are affirmed, and no others."""


@dataclass(frozen=True, slots=True)
class ShownCase:
    """A case.

    Attributes:
        record: what the page shows of it, as JSON has it; see `_record`.
        names: concept → preferred name, of all that the record names.
        said: K(T), sorted.
        stated: variant → the concepts of `said` that an update states after they were said.
        unsupported: variant → concepts that updates state and nobody ever says, sorted.
        coverage: variant → the measure, by which the record is held against the metrics.
        problem: what kept the case from being read; None where nothing did.
    """

    case_id: str
    record: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    stated: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unsupported: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    coverage: Mapping[str, float | None] = field(default_factory=dict)
    problem: DataError | CaseFailedError | None = None


class CaseReader:
    """Reads cases one after the other.

    Args:
        measuring: the campaign, and what measured it.
        variants: whose runs are shown.
        extractor: as `measuring` names it, where the caller has loaded it already.
    """

    def __init__(self, measuring: Measuring, variants: Sequence[str], extractor: Extractor | None = None) -> None:
        self._measuring = measuring
        self._campaign = Campaign(measuring.root)
        self._variants = variants
        self._extractor = extractor or load_measuring_extractor(measuring.config, measuring.stop_entities)

    def __call__(self, entry: TraceEntry) -> ShownCase:
        """Read one case; what is wrong with its data is returned, not raised."""
        try:
            return self._read(entry)
        except (DataError, CaseFailedError) as error:
            return ShownCase(entry.case_id, problem=error)

    def _read(self, entry: TraceEntry) -> ShownCase:
        dataset_hash = self._measuring.trace_dataset_hash
        trace = read_trace(self._campaign.trace_file(entry.case_id))
        logs = {name: read_checked_run(self._campaign, name, entry, dataset_hash) for name in self._variants}
        for variant, log in logs.items():
            if not log.skipped:
                require_within(trace, log, where=str(self._campaign.run_file(variant, entry.case_id)))
        replayed = [variant for variant, log in logs.items() if not (log.skipped or log.failed)]
        guarded = GuardedExtractor(self._extractor, self._measuring.config.extractor.name, entry.case_id)
        found = CachedExtractor(guarded)
        # Gold labels serve measures that the page does not compute, and finding them in updates takes longest.
        plain = replace(trace, messages=tuple(replace(one, gold_mentions=None) for one in trace.messages))
        observed = observe_case(plain, [logs[variant] for variant in replayed], found) if replayed else []
        seen = dict(zip(replayed, observed, strict=True))
        record = _Record(trace, logs, seen, found, self._extractor).build()
        name_of = self._extractor.name_of if isinstance(self._extractor, AnnotatingExtractor) else str
        said = sorted(next(iter(seen.values())).trace_concepts) if seen else []
        return ShownCase(
            entry.case_id,
            record,
            {concept: name_of(concept) for concept in record["concepts"]},
            tuple(said),
            {variant: frozenset(one.reported_by) for variant, one in seen.items()},
            {variant: tuple(sorted(one.output_concepts - one.trace_concepts)) for variant, one in seen.items()},
            {variant: coverage(one) for variant, one in seen.items()},
        )


class _Record:
    """Builds a case's record. Offsets and lengths are in code points, times in virtual ms since the case began."""

    def __init__(
        self,
        trace: Trace,
        logs: Mapping[str, RunLog],
        seen: Mapping[str, Observation],
        found: CachedExtractor,
        extractor: Extractor,
    ) -> None:
        self._trace, self._logs, self._seen, self._found = trace, logs, seen, found
        self._annotating = extractor if isinstance(extractor, AnnotatingExtractor) else None
        self._numbers: dict[str, int] = {}
        self._speeds: list[float] = []

    def build(self) -> dict[str, Any]:
        """Return the record."""
        contents = [message.content for message in self._trace.messages]
        marks = self._marks(contents, self._found.mentions(contents))
        runs = {variant: self._run(variant, log) for variant, log in self._logs.items()}
        record: dict[str, Any] = {
            "id": self._trace.case_id,
            "failed": self._trace.failure_reason,
            "messages": [
                {"agent": one.agent_id, "text": one.content, "marks": self._numbered(of_message)}
                for one, of_message in zip(self._trace.messages, marks, strict=True)
            ],
            "runs": runs,
            "heard": [self._heard(speed) for speed in self._speeds],
        }
        return {**record, "concepts": list(self._numbers)}

    def _heard(self, speed: float) -> dict[str, Any]:
        """Return the conversation as it arrives at one speed: of each message when, and of each concept when."""
        variant = next(
            name for name, log in self._logs.items() if name in self._seen and chars_per_second(log) == speed
        )
        seen = self._seen[variant]
        return {
            "arrivals": [_arrival(one) for one in arrivals(self._trace, speed)],
            "said": {self._number(concept): seen.stated_ms[concept] for concept in sorted(seen.stated_ms)},
            "end": seen.end_ms,
        }

    def _run(self, variant: str, log: RunLog) -> dict[str, Any]:
        if variant not in self._seen:
            return {"status": log.meta["status"], "reason": log.meta.get("failure_reason", "")}
        if (speed := chars_per_second(log)) not in self._speeds:
            self._speeds.append(speed)
        summaries = sorted(log.summaries, key=lambda one: (one.t_ms, one.event_index))
        order = {one.event_id: number for number, one in enumerate(summaries)}
        texts = [one.semantics_text if one.schema_ok else "" for one in summaries]
        marks = self._marks(texts, self._found.mentions(texts))
        return {
            "status": log.meta["status"],
            "heard": self._speeds.index(speed),
            "flushes": [
                [one.t_ms, one.start_seq, one.start_char, one.end_seq, one.end_char, one.ctu, one.words, one.reason]
                for one in log.flushes
            ],
            "decisions": [
                [one.flush_index, one.t_ms, one.decision, dict(one.filters), one.latency_ms, _usage(one.llm_usage)]
                for one in log.decisions
            ],
            "updates": [self._update(one, of_update, order) for one, of_update in zip(summaries, marks, strict=True)],
        }

    def _update(
        self, summary: Summary, marks: Sequence[tuple[Mention, int]], order: Mapping[str, int]
    ) -> dict[str, Any]:
        at = placed(summary, [mention for mention, _ in marks])
        update: dict[str, Any] = {
            "t": summary.t_ms,
            "marks": self._numbered(list(zip(at, (kind for _, kind in marks), strict=True))),
            "flushes": list(summary.flush_indices),
            "history": [order[name] for name in summary.history_event_ids if name in order],
            "latency": summary.latency_ms,
            "usage": _usage(summary.llm_usage),
        }
        same = [seq for seq, one in enumerate(self._trace.messages) if one.content == summary.rendered_text]
        if summary.start_seq in same:
            update["message"] = summary.start_seq  # a message that was passed on is not held twice
        else:
            update["text"] = summary.rendered_text
        if summary.summary_content is not None:
            update["fields"] = [len(summary.summary_content[name]) for name in FIELDS]
        if not summary.schema_ok:
            update["error"] = summary.schema_error or "the schema was not kept"
        return update

    def _marks(self, texts: Sequence[str], counted: Sequence[Sequence[Mention]]) -> list[list[tuple[Mention, int]]]:
        """Return, per text, the mentions that count and those that a reader should see not to count."""
        annotated = self._annotating.annotate(texts) if self._annotating else [()] * len(texts)
        marked = []
        for of_text, every in zip(counted, annotated, strict=True):
            places = {(one.concept_id, one.start, one.end) for one in of_text}
            others = [
                (one, NEGATED if one.negated else OF_ANOTHER)
                for one in every
                if (one.negated or one.experiencer != "patient")
                and not one.nested
                and (one.concept_id, one.start, one.end) not in places
            ]
            marks = [(one, AFFIRMED) for one in of_text] + others
            marked.append(sorted(marks, key=lambda one: (one[0].start, one[0].end, one[0].concept_id)))
        return marked

    def _numbered(self, marks: Iterable[tuple[Mention, int]]) -> list[list[int]]:
        return [[one.start, one.end, self._number(one.concept_id), kind] for one, kind in marks]

    def _number(self, concept: str) -> int:
        return self._numbers.setdefault(concept, len(self._numbers))


def _arrival(arrival: MessageArrival) -> list[Any]:
    """Return start and end, and of a recorded stream how long after the one before each chunk came, and its length."""
    if not arrival.ends:
        return [arrival.start_ms, arrival.end_ms]
    return [arrival.start_ms, arrival.end_ms, _steps(arrival.times), _steps(arrival.ends)]


def _steps(values: Sequence[int]) -> list[int]:
    return [value - before for value, before in zip(values, (0, *values), strict=False)]


def _usage(usage: Mapping[str, int | None] | None) -> list[int | None] | None:
    """Return calls, CTU of prompts and completions, and the provider's tokens of both; None without a model."""
    if usage is None:
        return None
    names = ("calls", "prompt_ctu", "completion_ctu", "provider_prompt_tokens", "provider_completion_tokens")
    return [usage.get(name) for name in names]
