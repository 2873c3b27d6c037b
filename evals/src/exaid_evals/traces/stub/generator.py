"""The stub as a source of traces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.gold import GoldMention, MentionKind
from exaid_evals.cases.base import Case, content_of
from exaid_evals.config.mas_generation import MasGenerationConfig, Stage, TimingConfig
from exaid_evals.errors import CaseFailedError
from exaid_evals.traces.model import Message, Provenance, Trace
from exaid_evals.traces.stub.conversation import discuss
from exaid_evals.traces.stub.findings import concept_of
from exaid_evals.traces.stub.statements import Mention, Sampler, Turn

_REASONS = (
    "timeout: the model gave no answer within 300 s (round {round})",
    "rate limit: the provider answered 429 to five attempts (round {round})",
    "no termination: 13 rounds without TERMINATE",
    "malformed answer: the supervisor's summary is not JSON (round {round})",
)


def planted_failure(sampler: Sampler, rate: float) -> str | None:
    """Return why the case fails, or None for one that does not; `rate` is the probability of failing."""
    if not sampler.chance(rate):
        return None
    return sampler.pick(_REASONS).format(round=2 + sampler.below(11))


def gold_mentions(turn: Turn) -> tuple[GoldMention, ...]:
    """Return the labels of a message, in the order of its text, each place and form once."""
    return tuple(sorted({_labelled(mention) for mention in turn.mentions}, key=lambda label: label.order))


def _labelled(mention: Mention) -> GoldMention:
    known = mention.kind not in (MentionKind.UNJUDGED, MentionKind.COPIED)
    return GoldMention(mention.start, mention.end, mention.kind, concept_of(mention.source) if known else None)


# A chunk ends behind a clause or a line, with the blanks that follow.
_CHUNK = re.compile(r".+?(?:[.?!;:,](?=\s)\s*|\n\s*|\Z)", re.DOTALL)


def chunks_of(text: str) -> list[str]:
    r"""Split a text into clauses and lines that add up to it.

    >>> chunks_of("No fever, no rash.\nWe agree.")
    ['No fever, ', 'no rash.\n', 'We agree.']
    """
    return _CHUNK.findall(text)


def schedule(said: Iterable[tuple[str, str]], config: TimingConfig, sampler: Sampler) -> tuple[Message, ...]:
    """Give each message its times.

    A chunk arrives whole at its time; the next follows after the time that typing it takes, and now and then after a
    pause. A message begins after the last one's typing has ended.

    Args:
        said: `(agent id, text)` of each message, the supervisor's opening first.
        config: the distributions.
        sampler: a stream for timing alone.

    Returns:
        The messages with `t_rel_ms` and `stream`; times never decrease.
    """
    messages: list[Message] = []
    now = 0
    for agent_id, text in said:
        if not messages:
            speed, pause_probability = config.presentation_speed, 0.0
        else:
            now += round(sampler.log_normal(config.reading_ms if len(messages) == 1 else config.first_token_ms))
            speed, pause_probability = sampler.log_normal(config.typing_speed), config.pause_probability
        start = now
        stream: list[tuple[int, int]] = []
        for chunk in chunks_of(text):
            if stream and sampler.chance(pause_probability):
                now += round(sampler.log_normal(config.pause_ms))
            stream.append((now, len(chunk)))
            now += max(1, round(1000 * len(chunk) / speed))
        messages.append(Message(agent_id, text, start, tuple(stream)))
    return tuple(messages)


_MAX_RIVALS = 12


class StubSource:
    """Simulates MAC's group chat about a case.

    Args:
        config: seed, epoch and distributions.
        provenance: what every record says about its making.
        every_case: all cases of the data set, selected or not: the differentials are diagnoses of other cases
            of the same category, and must not depend on the selection.
    """

    def __init__(self, config: MasGenerationConfig, provenance: Provenance, every_case: Sequence[Case]) -> None:
        self._config = config
        self._provenance = provenance
        # Of each category and diagnosis once: a large data set has many cases of one.
        self._diagnoses: dict[str, dict[str, None]] = {}
        for _, category, diagnosis in sorted((case.case_id, case.category, case.diagnosis) for case in every_case):
            self._diagnoses.setdefault(category, {})[diagnosis] = None
        self._all_diagnoses = sorted({diagnosis for known in self._diagnoses.values() for diagnosis in known})

    def generate(self, case: Case) -> Trace:
        """Return the simulated conversation about a case.

        Raises:
            CaseFailedError: a failure was planted.
        """
        stub = self._config.stub
        reason = planted_failure(self._sampler(case, "failure"), stub.failure_rate)
        if reason is not None:
            raise CaseFailedError(reason, where=case.case_id)
        presentation = (
            case.initial_presentation if self._config.mac.stage is Stage.INITIAL else case.follow_up_presentation
        )
        sampler = self._sampler(case, "talk")
        turns = discuss(case, presentation, self._rivals(case), stub.conversation, self._config.mac.n_round, sampler)
        said = [(turn.agent_id, turn.content) for turn in turns]
        scheduled = schedule(said, stub.timing, self._sampler(case, "timing"))
        messages = tuple(message.labelled(gold_mentions(turn)) for message, turn in zip(scheduled, turns, strict=True))
        return Trace(case.case_id, self._config.epoch, messages, self._provenance)

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return everything that the trace of a case depends on."""
        provenance = self._provenance
        return {
            "case": content_of(case),
            "rivals": self._rivals(case),
            "config": self._config.for_stub(),
            "provenance": [provenance.mas_run_id, provenance.mac_commit, provenance.model, provenance.stub],
        }

    def _sampler(self, case: Case, purpose: str) -> Sampler:
        return Sampler(self._config.seed, case.case_id, purpose)

    def _rivals(self, case: Case) -> list[str]:
        """Other diagnoses that a doctor might think of: of the case's category, else of any."""
        own = case.diagnosis.casefold()
        rivals = dict.fromkeys(name for name in self._diagnoses.get(case.category, ()) if name.casefold() != own)
        if len(rivals) < 4:
            # A data set with few cases, or a category with hardly any.
            rivals |= dict.fromkeys(name for name in self._all_diagnoses if name.casefold() != own)
        sampler = self._sampler(case, "rivals")
        return sorted(sampler.sample(list(rivals), _MAX_RIVALS))
