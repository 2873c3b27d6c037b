"""The real token gate under many policies, word by word: what the fast simulation is held against."""

from __future__ import annotations

from hypothesis import strategies as st

from conversations import EPOCH, PROVENANCE
from exaid_evals.calibration.simulate import Policy
from exaid_evals.middleware.gates import Chunk, TokenGate, TokenGateSettings
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.traces.model import Message, Trace

SPEED = 100.0

_contents = st.lists(st.text(alphabet="ab  .?\n\té𝒳", max_size=60), min_size=1, max_size=5)


def real_chunks(trace: Trace, policy: Policy, speed: float = SPEED) -> list[Chunk]:
    """Return what leaves the gate during a conversation."""
    return list(stream_chunks(trace, TokenGate(TokenGateSettings(**policy.settings)), speed))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies whose limits lie where those of the streams below do."""
    low, high = sorted(draw(st.tuples(st.integers(1, 12), st.integers(1, 12))))
    return Policy(low, high, draw(st.integers(1, 1600)), draw(st.integers(1, 4000)))


@st.composite
def streams(draw: st.DrawFn) -> Trace:
    """Conversations in which each message has a recorded stream with arbitrary pauses, or none; they may overlap."""
    messages = []
    clock = 0
    for number, content in enumerate(draw(_contents)):
        stream, left, start = [], len(content) if draw(st.booleans()) else 0, clock
        while left:
            size = draw(st.integers(1, left))
            # Round pauses meet round timers exactly, where "before" and "not later" differ.
            clock += draw(st.one_of(st.integers(0, 1500), st.sampled_from([0, 500, 1000])))
            stream.append((clock, size))
            left -= size
        messages.append(Message(f"doctor{number % 3}", content, start, tuple(stream)))
        clock = max(start, clock + draw(st.integers(-900, 500)))  # the next one may begin before this one ends
    return Trace("case-1", EPOCH, tuple(messages), PROVENANCE)
