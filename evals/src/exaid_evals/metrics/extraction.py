"""What an extractor found in a labelled conversation, beside what its messages really state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from exaid_evals.artifacts.gold import GoldMention, MentionKind, concepts_stated
from exaid_evals.concepts.base import Mention, concept_ids


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of right and wrong answers.

    Attributes:
        tp: true positives: found, and really there.
        fp: false positives: found, and not there.
        fn: false negatives: there, and not found.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP); None where nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN); None where there was nothing to find."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None where there was nothing to find and nothing was found."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None


@dataclass(frozen=True, slots=True)
class LabelledMessage:
    """One message.

    Attributes:
        labels: what it states and only seems to state.
        found: what the extractor affirms, in the order of the text.
    """

    labels: tuple[GoldMention, ...] = ()
    found: tuple[Mention, ...] = ()


class LabelledConversation:
    """The messages of a conversation with gold labels, and how well the extractor read them.

    A mention that the extractor found belongs to the label that it shares most code points with, of those that say
    what should be found there (the first of several). One that shares code points only with labels that do not say is
    not judged. One that shares none with any label is spurious.
    """

    def __init__(self, messages: Sequence[LabelledMessage]) -> None:
        self._messages = tuple(messages)

    @cached_property
    def concepts(self) -> frozenset[str]:
        """The concepts that some message really states."""
        return frozenset(concept for message in self._messages for concept in concepts_stated(message.labels))

    @cached_property
    def by_message(self) -> Confusion:
        """Concepts of each message, as sets, over the messages: what was found against what is stated.

        A concept that was found in places that are not judged alone is left out, unless the message states it.
        """
        tp = fp = fn = 0
        for message, labels_at in zip(self._messages, self._labels_at, strict=True):
            stated = set(concepts_stated(message.labels))
            found = concept_ids(message.found)
            judged = {one.concept_id for one, at in zip(message.found, labels_at, strict=True) if _says(at)}
            tp += len(stated & found)
            fn += len(stated - found)
            fp += len(judged - stated)
        return Confusion(tp, fp, fn)

    @cached_property
    def n_mentions(self) -> Mapping[MentionKind, int]:
        """Labels by kind, those that say what should be found there."""
        return Counter(label.kind for message in self._messages for label in message.labels if label.judged)

    @cached_property
    def recalled(self) -> Mapping[MentionKind, int]:
        """Labels by kind where the extractor found the very concept that they state."""
        return self._count(lambda label, there: label.stated in concept_ids(there))

    @cached_property
    def left_alone(self) -> Mapping[MentionKind, int]:
        """Labels by kind where the extractor affirms nothing at all."""
        return self._count(lambda _, there: not there)

    def _count(self, holds: Callable[[GoldMention, Sequence[Mention]], bool]) -> Counter[MentionKind]:
        counts: Counter[MentionKind] = Counter()
        for message, labels_at in zip(self._messages, self._labels_at, strict=True):
            # By identity, since hashing a label takes longer than all else here.
            there: dict[int, list[Mention]] = {id(label): [] for label in message.labels}
            for mention, labels in zip(message.found, labels_at, strict=True):
                for label in labels:
                    there[id(label)].append(mention)
            for label in message.labels:
                if label.judged:
                    counts[label.kind] += holds(label, there[id(label)])
        return counts

    @cached_property
    def _labels_at(self) -> list[list[list[GoldMention]]]:
        """For each message and each mention found in it, the labels that it shares code points with."""
        return [
            [
                [label for label in message.labels if label.start < mention.end and mention.start < label.end]
                for mention in message.found
            ]
            for message in self._messages
        ]

    def _each_found(self) -> Iterator[tuple[Mention, list[GoldMention]]]:
        for message, labels_at in zip(self._messages, self._labels_at, strict=True):
            yield from zip(message.found, labels_at, strict=True)

    @cached_property
    def found_at(self) -> Mapping[MentionKind, tuple[int, int]]:
        """Kind → mentions that were found at labels of the kind: those with the right concept, and all."""
        right: Counter[MentionKind] = Counter()
        every: Counter[MentionKind] = Counter()
        for mention, labels in self._each_found():
            judged = [label for label in labels if label.judged]
            if judged:
                label = max(judged, key=lambda one: _overlap(mention, one))
                every[label.kind] += 1
                right[label.kind] += label.stated == mention.concept_id
        return {kind: (right[kind], every[kind]) for kind in every}

    @cached_property
    def n_spurious(self) -> int:
        """Mentions that were found where there is no label at all."""
        return sum(not labels for _, labels in self._each_found())

    @cached_property
    def n_found(self) -> int:
        """Mentions that were found."""
        return sum(len(message.found) for message in self._messages)

    @cached_property
    def n_unjudged(self) -> int:
        """Mentions that were found where the labels do not say whether they should be."""
        return sum(not _says(labels) for _, labels in self._each_found())


def _says(labels: Sequence[GoldMention]) -> bool:
    """Whether labels at a mention tell if it should be found there: none at all does, and one that is judged."""
    return not labels or any(label.judged for label in labels)


def _overlap(mention: Mention, label: GoldMention) -> int:
    return min(mention.end, label.end) - max(mention.start, label.start)
