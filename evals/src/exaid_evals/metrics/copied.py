"""Gold labels of updates that copy what was said.

Nobody labels what a middleware writes. Where an update consists of sentences of the conversation, word for word, its
labels are those of the sentences; where it does not, it has none, and what rests on them is undefined.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from exaid_evals.artifacts.gold import GoldMention, MentionKind
from exaid_evals.clients.stub import NOTHING, split_sentences
from exaid_evals.concepts.base import Mention
from exaid_evals.replay.clock import Span
from exaid_evals.traces.model import Trace

_EMPHASIS = "**"
_CUT = "…"
_KEY = 4


class _Unit(NamedTuple):
    """A sentence or line of the conversation without emphasis.

    Attributes:
        mentions: those that it holds whole.
        unknown_from: where text begins that nobody has labelled; None where there is none.
    """

    text: str
    mentions: tuple[Mention, ...]
    unknown_from: int | None = None


_Index = dict[str, list[_Unit]]
"""Units by how they begin."""


class CopiedText:
    """Finds the labels of texts that were copied out of a conversation.

    A line of an update is copied where it is a line of the conversation, or consists of sentences of it with blanks
    between them, each whole or cut off behind some word and marked with an ellipsis. Sentences are those of
    `exaid_evals.clients.stub`, of whole messages and of the parts of messages that the update covers. Emphasis
    (`**`) makes no difference. A label counts where its whole span was copied. A line that takes over text which the
    conversation itself copied from a report that nobody has labelled (`copied`) has no labels: it may state anything.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._starts = [_starts_of_lines(message.content) for message in trace.messages]
        self._whole = _index(
            unit
            for seq, starts in enumerate(self._starts)
            for start, end in pairwise(starts)
            for unit in self._units(seq, start, end)
        )
        self._stated: dict[str, list[Mention] | None] = {}

    def mentions(self, text: str, window: Sequence[Span] = ()) -> tuple[Mention, ...] | None:
        """Return the gold mentions of a text, with offsets in it; None where part of it is not a copy.

        Args:
            text: what an update says, a field a line.
            window: the parts of the conversation that it covers.
        """
        found: list[Mention] = []
        cut: _Index | None = None
        offset = 0
        for line in text.split("\n"):
            if line not in self._stated:
                self._stated[line] = self._line(line, self._whole)
            stated = self._stated[line]
            if stated is None:
                if cut is None:
                    cut = _index(chain.from_iterable(map(self._cut, window)))
                stated = self._line(line, self._whole, cut)
            if stated is None:
                return None
            found += [Mention(one.concept_id, one.start + offset, one.end + offset) for one in stated]
            offset += len(line) + 1
        return tuple(sorted(set(found), key=lambda one: (one.start, one.end, one.concept_id)))

    @staticmethod
    def _line(line: str, *indexes: _Index) -> list[Mention] | None:
        if not line.strip() or line == NOTHING:
            return []
        plain, origin = _without_emphasis(line)
        # Behind each piece of the line: how it can be divided so far. The longest pieces are tried first.
        waiting: list[tuple[int, list[Mention]]] = [(0, [])]
        seen = {0}
        while waiting:
            position, found = waiting.pop()
            if position >= len(plain):
                return [Mention(one.concept_id, origin[one.start], origin[one.end - 1] + 1) for one in found]
            pieces = [
                (end, copied, unit)
                for index in indexes
                for unit in _candidates(index, plain, position)
                for end, copied in _piece(plain, position, unit.text)
            ]
            if len(pieces) > 1:
                pieces.sort(key=lambda piece: (piece[0], piece[1], piece[2].text))
            for end, copied, unit in pieces:
                if unit.unknown_from is not None and unit.unknown_from < copied:
                    return None
                if end + 1 not in seen:
                    seen.add(end + 1)
                    inside = [
                        Mention(one.concept_id, one.start + position, one.end + position)
                        for one in unit.mentions
                        if one.end <= copied
                    ]
                    waiting.append((end + 1, [*found, *inside]))
        return None

    def _cut(self, span: Span) -> Iterator[_Unit]:
        """Yield the units of lines that a part of a message holds by half: those of whole lines are known."""
        seq, first, last = span
        starts = self._starts[seq]
        lines = slice(bisect_right(starts, first) - 1, bisect_left(starts, last) + 1)
        for start, end in pairwise(starts[lines]):
            if start < first or last < end:
                yield from self._units(seq, max(start, first), min(end, last))

    def _units(self, seq: int, start: int, end: int) -> Iterator[_Unit]:
        message = self._trace.messages[seq]
        labels = [label for label in message.gold_mentions or () if label.start < end and start < label.end]
        return _units_of(message.content[start:end], start, labels)


def _starts_of_lines(text: str) -> list[int]:
    """Return where the lines of a text begin, and where the last one ends."""
    return list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))


def _units_of(line: str, start: int, labels: Sequence[GoldMention]) -> Iterator[_Unit]:
    """Yield a line and its sentences.

    Args:
        line: with its end.
        start: where it begins in its message.
        labels: of the message.
    """
    plain, origin = _without_emphasis(line.rstrip("\r\n"))
    mentions: list[Mention] = []
    unknown: list[tuple[int, int]] = []
    for label in labels:
        # A place in the plain line is the number of code points before it that were kept.
        first, last = (bisect_left(origin, place - start) for place in (label.start, label.end))
        if first >= last:
            continue
        if label.kind is MentionKind.COPIED:
            unknown.append((first, last))
        elif label.stated is not None and start <= label.start and label.end <= start + len(line):
            mentions.append(Mention(label.stated, first, last))
    starts_unknown = min([first for first, _ in unknown], default=None)
    yield _Unit(plain, tuple(mentions), starts_unknown)
    position = 0
    for text in split_sentences(plain):
        if text == plain:
            continue
        position = plain.find(text, position)
        if position < 0:
            return
        end = position + len(text)
        inside = [one for one in mentions if position <= one.start and one.end <= end] if mentions else ()
        yield _Unit(
            text,
            tuple([Mention(one.concept_id, one.start - position, one.end - position) for one in inside]),
            min([max(first - position, 0) for first, last in unknown if first < end and position < last], default=None)
            if unknown
            else None,
        )
        position = end


def _without_emphasis(line: str) -> tuple[str, Sequence[int]]:
    """Return a line without emphasis, and where each of its code points stood."""
    if _EMPHASIS not in line:
        return line, range(len(line))
    parts = line.split(_EMPHASIS)
    starts = accumulate((len(part) + len(_EMPHASIS) for part in parts), initial=0)
    origin = [place for start, part in zip(starts, parts, strict=False) for place in range(start, start + len(part))]
    return "".join(parts), origin


def _index(units: Iterable[_Unit]) -> _Index:
    index: _Index = {}
    for unit in units:
        if unit.text:
            known = index.setdefault(unit.text[:_KEY], [])
            if unit not in known:
                known.append(unit)
    return index


def _candidates(index: _Index, line: str, position: int) -> Iterator[_Unit]:
    """Yield the units that may stand at a place of a line."""
    key = line[position : position + _KEY]
    if _CUT in key:  # what is left of the unit is shorter than a key
        yield from chain.from_iterable(index.values())
        return
    for size in range(1, len(key) + 1):  # a unit shorter than a key is its own key
        if key[:size] in index:
            yield from index[key[:size]]


def _piece(line: str, position: int, unit: str) -> Iterator[tuple[int, int]]:
    """Yield where a unit, or its beginning with an ellipsis, ends in a line, and how many code points are copied."""
    end = position + len(unit)
    if line.startswith(unit, position) and (end == len(line) or line[end] == " "):
        yield end, len(unit)
        return
    cut = line.find(_CUT, position)
    while cut > position and unit.startswith(line[position:cut]):
        if cut + 1 == len(line) or line[cut + 1] == " ":
            yield cut + 1, cut - position
            return
        cut = line.find(_CUT, cut + 1)
