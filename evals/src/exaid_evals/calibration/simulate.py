"""The token gate over a whole conversation, for all policies at once.

The gate's state does not outlive a message, so every pair of message and policy is a run of its own, and all of them
step from flush to flush together. Where a chunk that begins at word i ends follows from four look-ups: the word at
which `max_words` are reached, the next boundary from `min_words` on, the next gap longer than `silence_ms`, and the
first word later than `max_wait_ms` after the chunk's first. A test holds the result against the real gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaid_evals.config.metrics import GridConfig
from exaid_evals.middleware.gates import Piece, TokenGate, TokenGateSettings
from exaid_evals.replay.clock import arrivals, pieces_of
from exaid_evals.traces.model import Trace

GATE_KIND = "token_gate"


@dataclass(frozen=True, slots=True, order=True)
class Policy:
    """Settings of `TokenGate`, by its names and in their order."""

    min_words: int
    max_words: int
    silence_ms: int
    max_wait_ms: int

    @property
    def settings(self) -> dict[str, int]:
        """Return the gate's settings."""
        return asdict(self)

    @property
    def label(self) -> str:
        """Return the settings in one word, for tables and messages."""
        return "/".join(str(value) for value in astuple(self))


def policies(grid: GridConfig) -> tuple[tuple[Policy, ...], int]:
    """Return every policy of a grid in ascending order, and how many combinations are none.

    A combination whose min_words exceeds its max_words is not a policy: the gate refuses it.

    >>> found, left_out = policies(GridConfig(min_words=(1, 3), max_words=(2,), silence_ms=(9,), max_wait_ms=(9,)))
    >>> [policy.label for policy in found], left_out
    (['1/2/9/9'], 1)
    """
    combinations = list(product(grid.min_words, grid.max_words, grid.silence_ms, grid.max_wait_ms))
    found = tuple(Policy(*values) for values in combinations if values[0] <= values[1])
    return found, len(combinations) - len(found)


Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEVER = 10**9
"""More words, and more milliseconds, than any conversation has."""


@dataclass(frozen=True, slots=True)
class WordStream:
    """The words of a case, message after message, each message followed by one place for its end.

    Attributes:
        case_id: whose words.
        times: (n,) when each word has arrived, or the message is over, in ms, plus `later`; never descending.
        boundary: (n,) whether the gate takes the word for a boundary; false at a message's end.
        starts: (m,) place of the first word of each message that has words.
        ends: (m,) place of the end of each such message.
        words: (n,) how many words begin at each place; None for one at each, as where places are words.
        goes_on: (n,) whether a place goes on with the word before it, which then counts in both chunks if the gate
            cuts there; None for none.
        later: (n,) ms by which a message's times are put behind those of a message that it overlaps; None for none.
    """

    case_id: str
    times: Ints
    boundary: Flags
    starts: Ints
    ends: Ints
    words: Ints | None = None
    goes_on: Ints | None = None
    later: Ints | None = None


def word_stream(trace: Trace, chars_per_second: float) -> WordStream:
    """Compile a successful trace."""
    times: list[int] = []
    later: list[int] = []
    boundary: list[bool] = []
    starts: list[int] = []
    ends: list[int] = []
    for seq, (message, arrival) in enumerate(zip(trace.messages, arrivals(trace, chars_per_second), strict=True)):
        pieces = list(pieces_of(message, seq, arrival))
        if not pieces:
            continue
        starts.append(len(times))
        shift = max(0, times[-1] - pieces[0].t_ms) if times else 0
        times += [piece.t_ms + shift for piece in pieces]
        boundary += _boundaries(pieces)
        ends.append(len(times))
        times.append(arrival.end_ms + shift)
        boundary.append(False)
        later += [shift] * (len(pieces) + 1)
    clock, shifts = np.array(times, dtype=np.int64), np.array(later, dtype=np.int64)
    flags = np.array(boundary, dtype=np.bool_)
    return WordStream(trace.case_id, clock, flags, np.array(starts), np.array(ends), later=shifts)


def _boundaries(pieces: Sequence[Piece]) -> list[bool]:
    """Ask the gate itself: one that lets everything go at a boundary, and nothing elsewhere."""
    settings = TokenGateSettings(min_words=1, max_words=_NEVER, silence_ms=_NEVER, max_wait_ms=_NEVER)
    gate = TokenGate(settings)
    return [bool(gate.on_piece(piece)) for piece in pieces]


REASONS = ("max_words", "boundary_cue", "silence", "max_wait", "turn_end")
MAX_WORDS, BOUNDARY_CUE, SILENCE, MAX_WAIT, TURN_END = range(len(REASONS))
TIMERS = (SILENCE, MAX_WAIT)


class Flushes(NamedTuple):
    """Flushes of many policies, each (n,).

    Attributes:
        policy: index of the policy.
        start: place of the chunk's first word in the stream; orders the flushes of a policy.
        words: number of words.
        begun_ms: when its first word had arrived.
        t_ms: when it left.
        reason: index in `REASONS`.
    """

    policy: Ints
    start: Ints
    words: Ints
    begun_ms: Ints
    t_ms: Ints
    reason: Ints


@dataclass(frozen=True, slots=True)
class _Tables:
    """Look-ups of a stream. n is the number of places, and stands for "never"."""

    counted: Ints  # (n + 1,) words that begin before a place
    goes_on: Ints  # (n,) 1 where a chunk that begins there counts a word more, of which it has the rest
    next_boundary: Ints  # (n + 1,) first boundary at or behind a place
    next_gap: Ints  # (values of silence_ms, n + 1) first place behind this one that a longer gap precedes


class Simulator:
    """Runs a fixed set of policies over any number of streams."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        columns = np.array([list(policy.settings.values()) for policy in policies], dtype=np.int64).T
        self._min_words, self._max_words, self._silence_ms, self._max_wait_ms = columns
        self._silences, self._silence_row = np.unique(self._silence_ms, return_inverse=True)

    def flushes(self, stream: WordStream) -> Flushes:
        """Return every flush of every policy, sorted by policy and then by time."""
        n_policies, n_messages = len(self._min_words), len(stream.starts)
        policy = np.repeat(np.arange(n_policies), n_messages)
        at = np.tile(stream.starts, n_policies)
        end = np.tile(stream.ends, n_policies)
        tables = _tables(stream, self._silences)
        steps: list[Flushes] = []
        while at.size:
            step, at_next = self._step(stream, tables, policy, at, end)
            steps.append(step)
            going = at_next < end
            policy, at, end = policy[going], at_next[going], end[going]
        if not steps:
            nothing = np.zeros(0, dtype=np.int64)
            return Flushes(*[nothing] * len(Flushes._fields))
        joined = Flushes(*(np.concatenate(column) for column in zip(*steps, strict=True)))
        if stream.later is not None:
            shift = stream.later[joined.start]
            joined = joined._replace(begun_ms=joined.begun_ms - shift, t_ms=joined.t_ms - shift)
        order = np.lexsort((joined.start, joined.t_ms, joined.policy))
        return Flushes(*(column[order] for column in joined))

    def _step(self, stream: WordStream, tables: _Tables, policy: Ints, at: Ints, end: Ints) -> tuple[Flushes, Ints]:
        """Return the next flush of each run, and the place where its next chunk begins.

        Args:
            stream: the words.
            tables: its look-ups.
            policy: (n,) of each run.
            at: (n,) where its chunk begins.
            end: (n,) the end of its message.
        """
        times = stream.times
        begun = times[at]
        counted_before = tables.counted[at] - tables.goes_on[at]
        # Not before the chunk's own first place, which alone may hold the words that are asked for.
        full = np.maximum(at, np.searchsorted(tables.counted[1:], counted_before + self._max_words[policy]))
        enough = np.maximum(at, np.searchsorted(tables.counted[1:], counted_before + self._min_words[policy]))
        boundary = tables.next_boundary[enough]
        last = np.minimum(full, boundary)
        silence_ms, wait_end = self._silence_ms[policy], begun + self._max_wait_ms[policy]
        # A timer that ends with a word's arrival loses, hence "later than"; the message's end counts as a word here.
        gap = tables.next_gap[self._silence_row[policy], at]
        late = np.minimum(gap, np.searchsorted(times, wait_end, side="right"))
        timed = (late <= last) & (late <= end)
        counted = ~timed & (last < end)
        behind = np.where(timed, late, np.where(counted, last + 1, end))
        silence_end = times[behind - 1] + silence_ms
        t_ms = np.where(timed, np.minimum(silence_end, wait_end), np.where(counted, times[behind - 1], times[end]))
        reason = np.select(
            [timed & (silence_end <= wait_end), timed, counted & (full <= boundary), counted],
            [SILENCE, MAX_WAIT, MAX_WORDS, BOUNDARY_CUE],
            TURN_END,
        )
        return Flushes(policy, at, tables.counted[behind] - counted_before, begun, t_ms, reason), behind


def _tables(stream: WordStream, silences: Ints) -> _Tables:
    gaps = np.diff(stream.times, prepend=stream.times[:1])
    next_gap = np.stack([_next(gaps > silence) for silence in silences])
    # "Behind this one": a gap before the chunk's own first word is none of its own.
    next_gap[:, :-1] = next_gap[:, 1:]
    n = len(stream.times)
    words = np.ones(n, dtype=np.int64) if stream.words is None else stream.words
    goes_on = np.zeros(n, dtype=np.int64) if stream.goes_on is None else stream.goes_on
    return _Tables(np.append(0, np.cumsum(words)), goes_on, _next(stream.boundary), next_gap)


def _next(flags: Flags) -> Ints:
    """Return (n + 1,): the first true place at or behind each; n where there is none."""
    n = len(flags)
    places = np.where(flags, np.arange(n), n)
    return np.append(np.minimum.accumulate(places[::-1])[::-1], n)
