"""The published token gate, replayed: our gate with its limits, then with each rule in which upstream's is another.

The rules were read in the gate of the published project (AbemKW/EXAIM-MedGemma-Impact) and are stated here in our own
code. They are cumulative, so that what each explains can be counted in flushes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

from exaid_evals.middleware.gates import Chunk, Piece, TokenGate, TokenGateSettings, ends_at_boundary
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.replication.campaign import reason_of, to_trace
from exaid_evals.replication.published import PublishedRun, PublishedTrace, Turn
from exaid_evals.replication.records import Record

SPEED_OF_UNRECORDED = 120.0
"""Characters a second; every text of a published trace has a recorded time, so that it decides nothing."""

_CUE_AND_CLOSERS = re.compile(r"[.?!][)\]}'\"]*$")
_WORD = re.compile(r"(?:\A\s*)?\S+\s*")
_SHOWN_DIFFERENCES = 10
_NO_LABELS = frozenset({"", "unknown", "null", "none"})


@dataclass(frozen=True, slots=True)
class Rules:
    """In what the published gate differs from ours, each as it was found in what it let go.

    Attributes:
        per_agent: the buffer outlives a turn and is emptied at the end of the conversation; text is heard as it came,
            also where turns overlap; turns that say an agent's name, TERMINATE or nothing are not heard.
        polled: no timer runs by itself: silence is noticed when the agent speaks again, and then nothing else is
            looked at; waiting is noticed with the delta that arrives too late, which goes along.
        by_delta: decided at each delta, be it the middle of a word, and not at words' ends.
        closers: a cue may be followed by closing brackets and quotes; a line end counts where nothing follows it.
        first_wait: `max_wait_ms` is measured for an agent's first chunk alone.
    """

    per_agent: bool = False
    polled: bool = False
    by_delta: bool = False
    closers: bool = False
    first_wait: bool = False


STEPS: Mapping[str, Rules] = {
    "our token gate, their limits": Rules(),
    "a buffer for each agent, over its turns": Rules(per_agent=True),
    "timers noticed when the agent speaks": Rules(per_agent=True, polled=True),
    "decided at each delta": Rules(per_agent=True, polled=True, by_delta=True),
    "closing quotes and brackets behind a cue": Rules(per_agent=True, polled=True, by_delta=True, closers=True),
    "waiting measured in an agent's first chunk": Rules(
        per_agent=True, polled=True, by_delta=True, closers=True, first_wait=True
    ),
}
"""What is added → all rules up to there."""


@dataclass(frozen=True, slots=True, order=True)
class LetGo:
    """A flush, in numbers of the published deltas, with the reason by our name."""

    start_seq: int
    end_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class GateStep:
    """How much of a variant's published flushes a set of rules gives.

    Attributes:
        rule: what was added to the rules before.
        variant: as published.
        n_published, n_replayed: flushes.
        n_equal: with the same index, end and reason.
        n_anywhere: with the same end and reason at whatever index.
        first: where the first difference of each case is, in words; of the first cases alone.
    """

    rule: str
    variant: str
    n_published: int
    n_replayed: int
    n_equal: int
    n_anywhere: int
    first: tuple[str, ...]


def gate_steps(
    traces: Mapping[str, PublishedTrace],
    runs: Mapping[str, Mapping[str, PublishedRun]],
    limits: TokenGateSettings,
    *,
    on_rule: Callable[[str], None] = lambda _: None,
) -> tuple[GateStep, ...]:
    """Replay the gate over all cases of the variants that log flushes, once for each further rule.

    Args:
        traces: case id → conversation.
        runs: variant → case id → run.
        limits: of the published gate.
        on_rule: called with each finished rule.
    """
    gated = {variant: logs for variant, logs in runs.items() if any(run.flushes for run in logs.values())}
    case_ids = sorted({case_id for logs in gated.values() for case_id in logs})
    found = []
    for rule, rules in STEPS.items():
        replayed = {
            case_id: [(one.end_seq, one.reason) for one in replay_gate(traces[case_id], limits, rules)]
            for case_id in case_ids
        }
        found += [_step(rule, variant, logs, replayed) for variant, logs in gated.items()]
        on_rule(rule)
    return tuple(found)


def _step(
    rule: str, variant: str, logs: Mapping[str, PublishedRun], replayed: Mapping[str, list[tuple[int, str]]]
) -> GateStep:
    counts = [0, 0, 0, 0]
    first: list[str] = []
    for case_id, run in logs.items():
        ours, theirs = replayed[case_id], [(flush["end_seq"], reason_of(flush)) for flush in run.flushes]
        equal = sum(one == other for one, other in zip(theirs, ours, strict=False))
        counts = [a + b for a, b in zip(counts, (len(theirs), len(ours), equal, len({*theirs} & {*ours})), strict=True)]
        if ours != theirs and len(first) < _SHOWN_DIFFERENCES:
            first.append(f"{case_id}: {_first_difference(theirs, ours)}")
    n_published, n_replayed, n_equal, n_anywhere = counts
    return GateStep(rule, variant, n_published, n_replayed, n_equal, n_anywhere, tuple(first))


def _first_difference(published: Sequence[tuple[int, str]], replayed: Sequence[tuple[int, str]]) -> str:
    for index, (theirs, ours) in enumerate(zip_longest(published, replayed)):
        if theirs != ours:
            said = ["none" if one is None else f"seq {one[0]}, {one[1]}" for one in (theirs, ours)]
            return f"flush {index} is {said[0]} as published, and {said[1]} replayed"
    return "none"


def replay_gate(trace: PublishedTrace, limits: TokenGateSettings, rules: Rules) -> list[LetGo]:
    """Return what the gate lets go of a conversation, in the order in which it is noticed."""
    if not rules.per_agent:
        return list(_by_our_engine(trace, limits))
    gates: dict[str, AgentGate] = {}
    found: list[LetGo] = []
    for piece in _pieces(trace, by_delta=rules.by_delta):
        gate = gates.setdefault(piece.agent_id, AgentGate(limits, rules))
        if not rules.polled:
            running = [(deadline, one) for one in gates.values() if (deadline := one.deadline()) is not None]
            for deadline, one in sorted(running, key=lambda timer: timer[0]):
                found += _let_go(one.on_timer(deadline) if deadline < piece.t_ms else [])
        found += _let_go(gate.on_piece(piece))
    for gate in gates.values():
        found += _let_go(gate.on_end(0))
    return found


class AgentGate(TokenGate):
    """The token gate by the published rules; fed with the words or deltas of one agent."""

    def __init__(self, limits: TokenGateSettings, rules: Rules) -> None:
        super().__init__(limits)
        self._limits = limits
        self._rules = rules
        self._words = 0
        self._is_first = True

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Take what has arrived."""
        polled = self._rules.polled
        if polled and self._pieces and piece.t_ms >= self._pieces[-1].t_ms + self._limits.silence_ms:
            silent = self._flush(piece.t_ms, "silence")
            self._take(piece)
            return silent
        self._take(piece)
        waits = self._is_first or not self._rules.first_wait
        if polled and waits and piece.t_ms >= self._pieces[0].t_ms + self._limits.max_wait_ms:
            return self._flush(piece.t_ms, "max_wait")
        if self._words >= self._limits.max_words:
            return self._flush(piece.t_ms, "max_words")
        if self._words >= self._limits.min_words and self._ends_at_boundary():
            return self._flush(piece.t_ms, "boundary_cue")
        return []

    def _take(self, piece: Piece) -> None:
        goes_on = bool(self._pieces) and not self._pieces[-1].text[-1].isspace() and not piece.text[0].isspace()
        self._words += len(piece.text.split()) - goes_on
        self._pieces.append(piece)

    def _ends_at_boundary(self) -> bool:
        text = "".join(piece.text for piece in self._pieces)
        return ends_at_published_cue(text) if self._rules.closers else ends_at_boundary(text)

    def _flush(self, t_ms: int, reason: str) -> list[Chunk]:
        self._words = 0
        self._is_first = False
        return super()._flush(t_ms, reason)


def ends_at_published_cue(text: str) -> bool:
    """Return whether a buffer ends with a cue of the published gate."""
    visible = text.rstrip(" \t")
    return visible.endswith("\n") or _CUE_AND_CLOSERS.search(visible) is not None


def heard(trace: PublishedTrace) -> list[Turn]:
    """Return the turns that the published gate hears: not those that say an agent's name, TERMINATE or nothing."""
    labels = {turn.agent_id.strip().casefold() for turn in trace.turns} - _NO_LABELS | {"terminate", ""}
    return [turn for turn in trace.turns if turn.text.strip().casefold() not in labels]


def _pieces(trace: PublishedTrace, *, by_delta: bool) -> Iterator[Piece]:
    """Yield deltas or words as they arrive; `seq` is the published number of the delta that completes the piece."""
    turn_ids = {turn.turn_id for turn in heard(trace)}
    deltas = [delta for delta in trace.deltas if delta["turn_id"] in turn_ids and delta["delta_text"]]
    if by_delta:
        for delta in deltas:
            text, seq = delta["delta_text"], delta["seq"]
            yield Piece(delta["agent_id"], seq, 0, len(text), text, delta["t_rel_ms"])
        return
    words: list[Piece] = []
    for turn_id in turn_ids:
        words += _words_of([delta for delta in deltas if delta["turn_id"] == turn_id])
    yield from sorted(words, key=lambda piece: piece.seq)


def _words_of(deltas: Sequence[Record]) -> Iterator[Piece]:
    text = "".join(delta["delta_text"] for delta in deltas)
    ends = list(accumulate(len(delta["delta_text"]) for delta in deltas))
    for match in _WORD.finditer(text):
        visible = match.group().rstrip()
        ends_line = "\n" in match.group()[len(visible) :]
        arrived = deltas[bisect_left(ends, match.end() if ends_line else match.start() + len(visible))]
        yield Piece(arrived["agent_id"], arrived["seq"], match.start(), match.end(), match.group(), arrived["t_rel_ms"])


def _by_our_engine(trace: PublishedTrace, limits: TokenGateSettings) -> Iterator[LetGo]:
    """Yield what our gate lets go in a replay of the imported trace."""
    imported = to_trace(trace)
    of_turn: dict[int, list[Record]] = {}
    for delta in trace.deltas:
        if delta["delta_text"]:
            of_turn.setdefault(delta["turn_id"], []).append(delta)
    deltas = [of_turn[message.upstream["turn_id"]] for message in imported.messages if message.upstream]
    ends = [list(accumulate(len(delta["delta_text"]) for delta in of_message)) for of_message in deltas]
    for chunk in stream_chunks(imported, TokenGate(limits), SPEED_OF_UNRECORDED):
        first, last = chunk.pieces[0], chunk.pieces[-1]
        visible = last.end_char - len(last.text) + len(last.text.rstrip())
        start = deltas[first.seq][bisect_left(ends[first.seq], first.start_char + 1)]["seq"]
        yield LetGo(start, deltas[last.seq][bisect_left(ends[last.seq], visible)]["seq"], chunk.reason)


def _let_go(chunks: Sequence[Chunk]) -> list[LetGo]:
    return [LetGo(chunk.pieces[0].seq, chunk.pieces[-1].seq, chunk.reason) for chunk in chunks]
