"""From a trace and its run logs to observations, with gold labels where updates copy what was said."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from exaid_evals.artifacts.gold import GoldMention, MentionKind
from exaid_evals.artifacts.text_units import CHARS_PER_CTU, ctu
from exaid_evals.clients.stub import NOTHING, split_sentences
from exaid_evals.concepts.base import CachedExtractor, Extractor, Mention, concept_ids
from exaid_evals.metrics.extraction import LabelledConversation, LabelledMessage
from exaid_evals.metrics.observation import Decision, DecisiveStep, Flush, Observation, Update
from exaid_evals.replay.clock import Span, arrivals, texts_of, window_of, window_spans
from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import DECISIVE, Trace

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


_Index = dict[str, dict[_Unit, None]]
"""Units by how they begin, each once, in their order."""


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
        units = [unit for seq in range(len(trace.messages)) for unit in self._units_of_lines(seq)]
        self._whole = _index(units)
        self._first = {unit.text: unit for unit in reversed(units)}
        self._unknown = [unit for unit in units if unit.unknown_from is not None]
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
                whole = self._as_a_whole(line)
                self._stated[line] = self._line(line, self._whole) if whole is None else whole
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

    def _as_a_whole(self, line: str) -> list[Mention] | None:
        """Return at once what `_line` finds in a line that is a line or a sentence of the conversation; else None."""
        plain, origin = _without_emphasis(line)
        unit = self._first.get(plain)
        if unit is None or _CUT in plain or line == NOTHING or any(map(_is_unknown, _pieces(plain, 0, self._unknown))):
            return None
        return [Mention(one.concept_id, origin[one.start], origin[one.end - 1] + 1) for one in unit.mentions]

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
            units = chain.from_iterable(_candidates(index, plain, position) for index in indexes)
            pieces = list(_pieces(plain, position, units))
            if len(pieces) > 1:
                pieces.sort(key=lambda piece: (piece[0], piece[1], piece[2].text))
            if any(map(_is_unknown, pieces)):
                return None
            for end, copied, unit in pieces:
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

    def _units_of_lines(self, seq: int) -> Iterator[_Unit]:
        """Yield the units of a message's lines."""
        message, starts = self._trace.messages[seq], self._starts[seq]
        labels_of: defaultdict[int, list[GoldMention]] = defaultdict(list)
        for label in message.gold_mentions or ():
            for line in range(bisect_right(starts, label.start) - 1, bisect_left(starts, label.end)):
                labels_of[line].append(label)
        for line, (start, end) in enumerate(pairwise(starts)):
            yield from _units_of(message.content[start:end], start, labels_of.get(line, ()))

    def _units(self, seq: int, start: int, end: int) -> Iterator[_Unit]:
        """Yield the units of a part of a line."""
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
    if not labels:
        yield _Unit(plain, ())
        yield from (_Unit(text, ()) for text in split_sentences(plain) if text != plain)
        return
    mentions: list[Mention] = []
    unknown: list[tuple[int, int]] = []
    for label in labels:
        # A place in the plain line is the number of code points before it that were kept.
        first, last = bisect_left(origin, label.start - start), bisect_left(origin, label.end - start)
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
            index.setdefault(unit.text[:_KEY], {})[unit] = None
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


_Piece = tuple[int, int, _Unit]
"""Where a unit or its beginning ends in a line, how many code points are copied, the unit."""


def _is_unknown(piece: _Piece) -> bool:
    """Whether text is copied that nobody has labelled."""
    _, copied, unit = piece
    return unit.unknown_from is not None and unit.unknown_from < copied


def _pieces(line: str, position: int, units: Iterable[_Unit]) -> Iterator[_Piece]:
    """Yield each unit that stands at a place of a line, whole or its beginning with an ellipsis."""
    first_cut = line.find(_CUT, position)
    for unit in units:
        text, cut = unit.text, first_cut
        end = position + len(text)
        if line.startswith(text, position) and (end == len(line) or line[end] == " "):
            yield end, len(text), unit
            continue
        while cut > position and text.startswith(line[position:cut]):
            if cut + 1 == len(line) or line[cut + 1] == " ":
                yield cut + 1, cut - position, unit
                break
            cut = line.find(_CUT, cut + 1)


def observe_case(trace: Trace, logs: Sequence[RunLog], extractor: Extractor) -> list[Observation]:
    """Return what each run of a case shows, in the order of the logs.

    Args:
        trace: of a case that did not fail.
        logs: its runs, one a variant; none of them skipped.
        extractor: finds concepts; it is asked once, about all texts of the case.
    """
    found = CachedExtractor(extractor)
    found.mentions(texts_of(trace, logs))
    labels = _labels(trace, found)
    copied = CopiedText(trace) if labels else None
    heard: dict[float, _Heard] = {}
    for log in logs:
        speed = chars_per_second(log)
        if speed not in heard:
            heard[speed] = _Heard(trace, speed, found)
    return [_observe(trace, log, heard[chars_per_second(log)], found, labels, copied) for log in logs]


def _labels(trace: Trace, found: CachedExtractor) -> LabelledConversation | None:
    """Return the conversation's gold labels beside what was found; None where some message carries none."""
    mentions = found.mentions([message.content for message in trace.messages])
    if not trace.messages or any(message.gold_mentions is None for message in trace.messages):
        return None
    return LabelledConversation(
        [
            LabelledMessage(message.gold_mentions or (), in_message)
            for message, in_message in zip(trace.messages, mentions, strict=True)
        ]
    )


def _in_order(log: RunLog) -> list[Summary]:
    return sorted(log.summaries, key=lambda summary: (summary.t_ms, summary.event_index))


def chars_per_second(log: RunLog) -> float:
    """Return the speed at which a run heard text without a recorded time."""
    return float(log.meta["config"]["stream"]["chars_per_second"])


class _Heard:
    """A conversation as it arrives at one speed.

    Attributes:
        stated_ms: concept → when its first mention had arrived whole.
        end_ms: when all of it was there.
        step: the decisive one, where the trace knows it.
    """

    def __init__(self, trace: Trace, chars_per_second: float, found: CachedExtractor) -> None:
        self._arrivals = arrivals(trace, chars_per_second)
        self.end_ms = max((arrival.end_ms for arrival in self._arrivals), default=0)
        self._ctu = trace.text_units_ctu
        self.stated_ms: dict[str, int] = {}
        mentions = found.mentions([message.content for message in trace.messages])
        for arrival, in_message in zip(self._arrivals, mentions, strict=True):
            for mention in in_message:
                t_ms = arrival.time_of(mention.end)
                self.stated_ms[mention.concept_id] = min(self.stated_ms.get(mention.concept_id, t_ms), t_ms)
        self.step = self._decisive(trace, [concept_ids(in_message) for in_message in mentions])

    def _decisive(self, trace: Trace, stated: Sequence[frozenset[str]]) -> DecisiveStep | None:
        for index, message in enumerate(trace.messages):
            if message.upstream and message.upstream.get(DECISIVE):
                new = stated[index].difference(*stated[:index])
                return DecisiveStep(new, self._arrivals[index].start_ms)
        return None

    def ctu_at(self, t_ms: int) -> int:
        """Return the CTU that had arrived by a time, each message rounded up as everywhere."""
        if t_ms >= self.end_ms:
            return self._ctu
        return sum(
            [-(-arrival.chars_at(t_ms) // CHARS_PER_CTU) for arrival in self._arrivals if arrival.start_ms <= t_ms]
        )


def _observe(
    trace: Trace,
    log: RunLog,
    heard: _Heard,
    found: CachedExtractor,
    labels: LabelledConversation | None,
    copied: CopiedText | None,
) -> Observation:
    return Observation(
        trace_ctu=trace.text_units_ctu,
        trace_messages=len(trace.messages),
        stated_ms=heard.stated_ms,
        updates=tuple([_update(trace, log, summary, heard, found, copied) for summary in _in_order(log)]),
        decisions=tuple(Decision(decision.latency_ms, decision.llm_usage) for decision in log.decisions),
        flushes=tuple(Flush(flush.t_ms, flush.ctu, flush.words, flush.reason) for flush in log.flushes),
        end_ms=heard.end_ms,
        step=heard.step,
        labels=labels,
    )


def placed(summary: Summary, mentions: Sequence[Mention]) -> tuple[Mention, ...]:
    """Return the mentions of s_i where they stand in f_i; at its end where s_i is no part of it as a whole."""
    start = summary.rendered_text.find(summary.semantics_text)
    if start == 0:
        return tuple(mentions)
    if start > 0:
        return tuple(one._replace(start=start + one.start, end=start + one.end) for one in mentions)
    length = len(summary.rendered_text)
    return tuple(one._replace(start=length, end=length) for one in mentions)


def _update(
    trace: Trace, log: RunLog, summary: Summary, heard: _Heard, found: CachedExtractor, copied: CopiedText | None
) -> Update:
    text, windows = "", list[str]()
    gold: tuple[Mention, ...] | None = None if copied is None else ()
    if summary.schema_ok:
        text, windows = summary.semantics_text, window_of(trace, log, summary)
        if copied is not None:
            window = window_spans(trace, [log.flushes[index] for index in summary.flush_indices])
            gold = copied.mentions(text, window)
    mentions: tuple[Mention, ...] = found.mentions([text])[0] if text else ()
    flushed_ms = max(log.flushes[index].t_ms for index in summary.flush_indices)
    return Update(
        t_ms=summary.t_ms,
        ok=summary.schema_ok,
        text=text,
        concepts=concept_ids(mentions),
        mentions=placed(summary, mentions),
        length=len(summary.rendered_text),
        ctu=ctu(summary.rendered_text),
        window_concepts=concept_ids(chain.from_iterable(found.mentions(windows))),
        latency_ms=summary.latency_ms,
        usage=summary.llm_usage,
        flushed_ms=flushed_ms,
        said_ctu=heard.ctu_at(summary.t_ms),
        flushed_said_ctu=heard.ctu_at(flushed_ms),
        gold=gold,
        prefix=summary.rendered_text.startswith(summary.semantics_text),
    )
