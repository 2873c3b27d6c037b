"""Everything that a measure may need about one case under one variant, with concepts already extracted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from exaid_evals.concepts.base import Mention
from exaid_evals.metrics.extraction import LabelledConversation

Usage = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Update:
    """One update that the middleware emitted.

    Attributes:
        t_ms: when it reached the clinician, in virtual ms since the case began.
        ok: whether it kept the schema. A failed update states nothing: its concept sets and mentions are empty.
        text: s_i, what it means; empty for a failed update.
        concepts: K(s_i).
        mentions: of s_i, the fields of f_i but `agent_contributions`; offsets in code points of f_i.
        length: code points of f_i.
        ctu: CTU of f_i.
        window_concepts: K(W_i), of the text that it covers.
        latency_ms: of its making.
        usage: calls and CTU of the language model; None where none was called.
        gold: mentions of s_i by their gold labels; None where it is not copied from a labelled conversation.
        prefix: whether f_i begins with s_i, so that the places of `gold` are the same in both.
        flushed_ms: when the last of its window had left the gate: without latency it would be there then.
        said_ctu: CTU of the conversation that had arrived at `t_ms`.
        flushed_said_ctu: CTU of the conversation that had arrived at `flushed_ms`.
    """

    t_ms: int = 0
    ok: bool = True
    text: str = ""
    concepts: frozenset[str] = frozenset()
    mentions: tuple[Mention, ...] = ()
    length: int = 0
    ctu: int = 0
    window_concepts: frozenset[str] = frozenset()
    latency_ms: int = 0
    usage: Usage | None = None
    gold: tuple[Mention, ...] | None = None
    prefix: bool = True
    flushed_ms: int = 0
    said_ctu: int = 0
    flushed_said_ctu: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the trigger: its latency in ms, and the model's usage, None where none was called."""

    latency_ms: int = 0
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """A chunk that left the gate: when, in virtual ms, its CTU and words, and why."""

    t_ms: int = 0
    ctu: int = 0
    words: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DecisiveStep:
    """The message at which a conversation went wrong, where whoever recorded it says so.

    Attributes:
        concepts: those that are first stated in it.
        start_ms: when its text began to arrive, in virtual ms.
    """

    concepts: frozenset[str]
    start_ms: int


_OffsetOf = Callable[[int, Mention, Update], int]
"""Start of the update in f_1 f_2 …, mention, update → code points to read."""
_MentionsOf = Callable[[Update], tuple[Mention, ...]]


@dataclass(frozen=True)
class Observation:
    """One case under one variant.

    Attributes:
        trace_ctu: CTU of the trace's messages.
        trace_messages: their number.
        stated_ms: concept of K(T) → when its first mention had arrived whole, in virtual ms.
        updates: in order of emission.
        decisions: in order.
        flushes: in order.
        end_ms: when the conversation was over, in virtual ms.
        noted: measures of the updates' text against a clinician's note and what had been said, where asked for.
        labels: what the conversation really states; None where its messages carry no gold labels.
        step: where the conversation went wrong; None where that is not known.
    """

    trace_ctu: int = 0
    trace_messages: int = 0
    stated_ms: Mapping[str, int] = field(default_factory=dict)
    updates: tuple[Update, ...] = ()
    decisions: tuple[Decision, ...] = ()
    labels: LabelledConversation | None = None
    flushes: tuple[Flush, ...] = ()
    end_ms: int = 0
    step: DecisiveStep | None = None
    noted: Mapping[str, float | None] = field(default_factory=dict)

    @cached_property
    def trace_concepts(self) -> frozenset[str]:
        """K(T)."""
        return frozenset(self.stated_ms)

    @cached_property
    def output_concepts(self) -> frozenset[str]:
        """K(∪s)."""
        return frozenset[str]().union(*(update.concepts for update in self.updates))

    @cached_property
    def reported_by(self) -> Mapping[str, Update]:
        """Concept of K(T) → the first update that states it after it was said; none for what is never reported."""
        reported: dict[str, Update] = {}
        for update in self.updates:
            for concept in update.concepts:
                if concept not in reported and self.was_said(concept, update):
                    reported[concept] = update
        return reported

    def was_said(self, concept: str, update: Update) -> bool:
        """Whether somebody had said a concept, whole, when an update was emitted: whether it is in K(T_i)."""
        said_ms = self.stated_ms.get(concept)
        return said_ms is not None and said_ms <= update.t_ms

    @property
    def last_ms(self) -> int:
        """The end of what was observed: of the conversation, or of the last update where that came later."""
        return max([self.end_ms, *(update.t_ms for update in self.updates)])

    @cached_property
    def faithful_updates(self) -> tuple[Update, ...]:
        """The updates that kept the schema: those over which faithfulness is averaged."""
        return tuple(update for update in self.updates if update.ok)

    @cached_property
    def text_cosines(self) -> tuple[float, ...]:
        """Σ a_w b_w / √(Σ a_w² · Σ b_w²) of the word counts of consecutive updates' texts; 0 where one has no words."""
        counts = [Counter(update.text.lower().split()) for update in self.updates]
        squares = [sum([count * count for count in of_update.values()]) for of_update in counts]
        return tuple(
            _product(one, other) / math.sqrt(of_one * of_other) if of_one * of_other else 0.0
            for (one, of_one), (other, of_other) in pairwise(zip(counts, squares, strict=True))
        )

    @property
    def gold_concepts(self) -> frozenset[str]:
        """G(T): what the conversation really states; empty without labels."""
        return self.labels.concepts if self.labels else frozenset()

    @cached_property
    def gold_output(self) -> frozenset[str] | None:
        """G(∪s); None where it is not known of each update."""
        if any(update.gold is None for update in self.updates):
            return None
        return frozenset(mention.concept_id for update in self.updates for mention in update.gold or ())

    @cached_property
    def completed_at(self) -> Mapping[str, int]:
        """Reported concept → code points of f_1 f_2 … that must be read until a mention of it is whole."""
        return self._earliest(_mentions, _until_mention, self.was_said)

    @cached_property
    def shown_whole_at(self) -> Mapping[str, int]:
        """Reported concept → code points of f_1 f_2 … that must be read until an update stating it is whole."""
        return self._earliest(_mentions, _until_update, self.was_said)

    @cached_property
    def gold_completed_at(self) -> Mapping[str, int] | None:
        """The same as `completed_at` for gold concepts; None where that is not known of each update."""
        return self._earliest(_gold, _until_mention, self._is_gold) if self._gold_placed else None

    @cached_property
    def gold_shown_whole_at(self) -> Mapping[str, int] | None:
        """The same as `shown_whole_at` for gold concepts; None where that is not known of each update."""
        return self._earliest(_gold, _until_update, self._is_gold) if self._gold_placed else None

    @property
    def _gold_placed(self) -> bool:
        return self.gold_output is not None and all(update.prefix for update in self.updates)

    def _is_gold(self, concept: str, _: Update) -> bool:
        return concept in self.gold_concepts

    def _earliest(
        self, mentions_of: _MentionsOf, offset_of: _OffsetOf, wanted: Callable[[str, Update], bool]
    ) -> dict[str, int]:
        earliest: dict[str, int] = {}
        start = 0
        for update in self.updates:
            for mention in mentions_of(update):
                if wanted(mention.concept_id, update):
                    offset = offset_of(start, mention, update)
                    earliest[mention.concept_id] = min(earliest.get(mention.concept_id, offset), offset)
            start += update.length
        return earliest


def _product(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Σ a_w b_w."""
    return sum([one[word] * other[word] for word in one.keys() & other.keys()])


def _mentions(update: Update) -> tuple[Mention, ...]:
    return update.mentions


def _gold(update: Update) -> tuple[Mention, ...]:
    return update.gold or ()


def _until_mention(start: int, mention: Mention, _: Update) -> int:
    return start + mention.end


def _until_update(start: int, _: Mention, update: Update) -> int:
    return start + update.length
