"""Gates: what leaves, when, and why."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import EPOCH, PROVENANCE, conversation
from exaid_evals.config.variant import PartConfig, VariantConfig
from exaid_evals.errors import ConfigError
from exaid_evals.middleware.gates import (
    Chunk,
    FixedCtuGate,
    FixedCtuSettings,
    Gate,
    MessageGate,
    Piece,
    TokenGate,
    TokenGateSettings,
)
from exaid_evals.middleware.registry import build_gate
from exaid_evals.replay.clock import turns_of
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.traces.model import Message, Trace

ALWAYS = PartConfig(kind="always")
GATES = {
    "message": {"kind": "message"},
    "fixed_ctu": {"kind": "fixed_ctu", "threshold_ctu": 5},
    "token_gate": {"kind": "token_gate", "min_words": 3, "max_words": 6, "silence_ms": 700, "max_wait_ms": 2000},
}


def variant_with(gate: dict[str, object]) -> VariantConfig:
    """Build a variant around a gate."""
    return VariantConfig(
        variant_id="T", gate=PartConfig(**gate), trigger=ALWAYS, summarizer=PartConfig(kind="passthrough"), history_k=0
    )


def chunks_of(trace: Trace, gate: dict[str, object], speed: float = 100.0) -> list[Chunk]:
    """Return what leaves the gate during a conversation."""
    return list(stream_chunks(trace, build_gate(variant_with(gate)), speed))


def text_of(chunk: Chunk) -> str:
    """Return a chunk's text."""
    return "".join(piece.text for piece in chunk.pieces)


contents = st.lists(st.text(alphabet="ab .?!\né𝒳", max_size=60), min_size=1, max_size=5)


@st.composite
def streamed_traces(draw: st.DrawFn) -> Trace:
    """Traces whose text arrives in recorded chunks with arbitrary pauses, and whose messages may overlap."""
    messages = []
    clock = 0
    for number, content in enumerate(draw(contents)):
        stream, left, start = [], len(content), clock
        while left:
            size = draw(st.integers(1, left))
            clock += draw(st.integers(0, 1500))
            stream.append((clock, size))
            left -= size
        messages.append(Message(f"doctor{number % 3}", content, start, tuple(stream)))
        clock = max(start, clock + draw(st.integers(-900, 500)))  # the next one may begin before this one ends
    return Trace("case-1", EPOCH, tuple(messages), PROVENANCE)


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
@given(trace=streamed_traces())
def test_no_gate_loses_or_repeats_a_word(gate: dict[str, object], trace: Trace) -> None:
    """Whatever a gate does, its chunks joined are the words of each message, each once and in order."""
    pieces = [piece for chunk in chunks_of(trace, gate) for piece in chunk.pieces]
    for seq, message in enumerate(trace.messages):
        left = "".join(piece.text for piece in pieces if piece.seq == seq)
        assert left == (message.content if message.content.strip() else "")


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
@given(trace=streamed_traces())
def test_chunks_leave_in_order_of_time_and_not_before_their_text(gate: dict[str, object], trace: Trace) -> None:
    """Flush times never go back, and no chunk leaves before its last word has arrived."""
    chunks = chunks_of(trace, gate)
    times = [chunk.t_ms for chunk in chunks]
    assert times == sorted(times)
    assert all(chunk.t_ms >= chunk.pieces[-1].t_ms for chunk in chunks)


@given(trace=streamed_traces())
def test_the_token_gate_keeps_to_its_limits(trace: Trace) -> None:
    """No chunk holds more than max_words or two messages, and none waits longer than max_wait_ms."""
    for chunk in chunks_of(trace, GATES["token_gate"]):
        assert len(chunk.pieces) <= 6
        assert len({piece.seq for piece in chunk.pieces}) == 1
        assert chunk.t_ms - chunk.pieces[0].t_ms <= 2000


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
@given(trace=streamed_traces())
def test_many_words_at_once_are_the_same_words_one_by_one(gate: dict[str, object], trace: Trace) -> None:
    """A gate that takes many words in its own, faster way lets go what it would, were it given each."""
    quick, slow = (build_gate(variant_with(gate)) for _ in range(2))
    for turn in turns_of(trace, 100.0):
        assert list(quick.on_pieces(turn.pieces)) == list(Gate.on_pieces(slow, turn.pieces))
        assert quick.on_turn_end(turn.end_ms) == slow.on_turn_end(turn.end_ms)
    assert quick.on_end(10**6) == slow.on_end(10**6)


def test_what_is_written_for_each_word_is_asked_about_each_word() -> None:
    """Below a gate that takes many words at once too."""

    class Impatient(MessageGate):
        def on_piece(self, piece: Piece) -> list[Chunk]:
            return [Chunk((piece,), piece.t_ms, "at once")]

    trace = conversation("One two.", "Three.")
    chunks = list(stream_chunks(trace, Impatient(Impatient.Settings()), 100.0))
    assert [text_of(chunk) for chunk in chunks] == ["One ", "two.", "Three."]


def test_a_gate_below_the_fixed_one_may_leave_a_word_to_it() -> None:
    """What it adds for each word does not keep the gate above from taking many at once itself."""

    class Noted(FixedCtuGate):
        def on_piece(self, piece: Piece) -> list[Chunk]:
            noted.append(piece.text)
            return super().on_piece(piece)

    noted: list[str] = []
    trace = conversation("One two three.", "Four.")
    chunks = list(stream_chunks(trace, Noted(FixedCtuSettings(threshold_ctu=2)), 100.0))
    assert noted == ["One ", "two ", "three.", "Four."]
    assert [text_of(chunk) for chunk in chunks] == ["One two ", "three.Four."]


def feed(gate: TokenGate, words: Iterable[tuple[str, int]]) -> list[Chunk]:
    """Give a gate words at given times, running its timers as the engine does."""
    found: list[Chunk] = []
    for text, t_ms in words:
        while (deadline := gate.deadline()) is not None and deadline < t_ms:
            found += gate.on_timer(deadline)
        found += gate.on_piece(Piece("doctor0", 0, 0, len(text), text, t_ms))
    return found


def token_gate(**settings: int) -> TokenGate:
    """Build a token gate of small limits."""
    defaults = {"min_words": 3, "max_words": 5, "silence_ms": 1000, "max_wait_ms": 5000}
    return TokenGate(TokenGateSettings(**{**defaults, **settings}))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([("a. ", 0), ("b ", 1), ("c. ", 2)], ("boundary_cue", 2, 3), id="a full stop after min_words"),
        pytest.param([("a ", 0), ("b ", 1), ("c\n", 2)], ("boundary_cue", 2, 3), id="a line end after min_words"),
        pytest.param([("a ", i) for i in range(5)], ("max_words", 4, 5), id="max_words without any cue"),
        pytest.param([("a ", 0), ("b ", 1200)], ("silence", 1000, 1), id="silence"),
        pytest.param([("a ", 0), ("b ", 1000)], None, id="a word that arrives with the timer counts"),
    ],
)
def test_each_rule_of_the_token_gate(words: list[tuple[str, int]], expected: tuple[str, int, int] | None) -> None:
    """The first flush has the reason, time and number of words that the rule states."""
    chunks = feed(token_gate(), words)
    actual = (chunks[0].reason, chunks[0].t_ms, len(chunks[0].pieces)) if chunks else None
    assert actual == expected


def test_max_wait_counts_from_the_chunks_first_word() -> None:
    """Text that keeps coming slowly leaves max_wait_ms after the chunk began."""
    words = [("a ", t_ms) for t_ms in range(0, 3600, 900)]
    chunks = feed(token_gate(max_wait_ms=2000, max_words=100), words)
    assert [(chunk.reason, chunk.t_ms, len(chunk.pieces)) for chunk in chunks] == [("max_wait", 2000, 3)]


def test_a_turn_ends_the_token_gates_chunk() -> None:
    """What is left of a turn leaves at its end, so that no chunk holds words of two agents."""
    chunks = chunks_of(conversation("one two", "three four"), {**GATES["token_gate"], "silence_ms": 10_000})
    assert [(chunk.reason, text_of(chunk)) for chunk in chunks] == [
        ("turn_end", "one two"),
        ("turn_end", "three four"),
    ]


def test_the_fixed_gate_spans_messages_and_waits_for_the_words_end() -> None:
    """5 CTU are 20 characters; the chunk goes at the end of the word that reaches them."""
    chunks = chunks_of(conversation("aaaaa bbbbb", "ccccccccc ddddd"), GATES["fixed_ctu"])
    assert [(chunk.reason, text_of(chunk)) for chunk in chunks] == [
        ("fixed_ctu", "aaaaa bbbbbccccccccc "),
        ("end_of_trace", "ddddd"),
    ]


def test_wrong_settings_are_refused_all_at_once() -> None:
    """A gate's settings are checked before anything runs; every wrong one is named, with those that exist."""
    with pytest.raises(ConfigError) as caught:
        build_gate(variant_with({"kind": "token_gate", "min_words": 0, "max_word": 5}))
    message = str(caught.value)
    assert "T: gate.min_words" in message
    assert "T: gate.max_word:" in message
    assert "max_wait_ms" in message


def test_an_unknown_kind_names_the_known_ones() -> None:
    """A misspelt kind is a configuration error with the near miss."""
    with pytest.raises(ConfigError, match=r"did you mean `token_gate`\?.*fixed_ctu, message, token_gate"):
        build_gate(variant_with({"kind": "token_gat"}))
