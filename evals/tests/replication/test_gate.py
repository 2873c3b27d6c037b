"""The published gate, replayed: each rule on a few deltas, all together against a slow second gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publications import LIMITS, conversation, publish, write_calibration

from exaid_evals.calibration.simulate import REASONS, Policy, Simulator
from exaid_evals.cli.main import run as exaid_evals
from exaid_evals.errors import DataError
from exaid_evals.middleware.gates import Piece, TokenGateSettings
from exaid_evals.replication import calibration
from exaid_evals.replication.campaign import reason_of
from exaid_evals.replication.gate import STEPS, AgentGate, Rules, ends_at_published_cue, gate_steps, replay_gate
from exaid_evals.replication.published import Publication, read_published_run, read_published_trace

EXAIM = Path(__file__).resolve().parents[4] / "shared" / "external" / "exaim"
ALL = list(STEPS.values())[-1]
FEW = TokenGateSettings(min_words=3, max_words=5, silence_ms=1000, max_wait_ms=4000)
Said = list[tuple[str, int, str]]
"""(agent, t_ms, delta), a turn for each agent in a row."""


def let_go(said: Said, rules: Rules, limits: TokenGateSettings = FEW) -> list[tuple[str, str]]:
    """Return reason and text of each flush of a conversation."""
    trace = conversation(said)
    texts = {delta["seq"]: delta["delta_text"] for delta in trace.deltas}
    return [
        (one.reason, "".join(texts.get(seq, "") for seq in range(one.start_seq, one.end_seq + 1)))
        for one in replay_gate(trace, limits, rules)
    ]


def test_a_buffer_outlives_its_turn_where_it_is_the_agents() -> None:
    """Ours lets the rest of a turn go at its end; the published gate keeps it for the agent's next turn."""
    said = [("a", 0, "one two"), ("b", 10, "yes"), ("a", 20, " three.")]
    assert [reason for reason, _ in let_go(said, Rules())] == ["turn_end"] * 3
    assert [(reason, text.split()[0]) for reason, text in let_go(said, Rules(per_agent=True))] == [
        ("boundary_cue", "one"),
        ("end_of_trace", "yes"),
    ]


def test_turns_that_name_an_agent_are_not_heard() -> None:
    """Neither who speaks next, nor the word that ends the conversation."""
    said = [("a", 0, "one two three."), ("b", 10, " A"), ("a", 20, "TERMINATE")]
    assert let_go(said, Rules(per_agent=True)) == [("boundary_cue", "one two three.")]


def test_silence_is_noticed_when_the_agent_speaks_again() -> None:
    """A running clock lets go before another agent speaks, a polled one not before the silent agent does."""
    said = [("a", 0, "one "), ("b", 1500, "now two words."), ("b", 1600, " more"), ("a", 3000, "again")]
    running = let_go(said, Rules(per_agent=True))
    polled = let_go(said, Rules(per_agent=True, polled=True))
    assert running[0] == ("silence", "one ")
    assert [reason for reason, _ in polled] == ["boundary_cue", "silence", "end_of_trace", "end_of_trace"]
    assert polled[1] == ("silence", "one ")


def test_a_delta_can_end_in_the_middle_of_a_word() -> None:
    """By words, 3.5 is not an end; by deltas `3.` is one, and its second half another word."""
    said = [("a", 0, "it is"), ("a", 1, " 3."), ("a", 2, "5"), ("a", 3, " of ten.")]
    assert let_go(said, Rules(per_agent=True, polled=True))[0] == ("max_words", "it is 3.5 of ten.")
    assert let_go(said, Rules(per_agent=True, polled=True, by_delta=True)) == [
        ("boundary_cue", "it is 3."),
        ("boundary_cue", "5 of ten."),
    ]


def test_waiting_is_measured_once_for_each_agent() -> None:
    """The second chunk of an agent may take as long as it likes."""
    said = [("a", t_ms, f" w{t_ms}") for t_ms in (0, 900, 1800, 2700)]
    limits = FEW.model_copy(update={"max_wait_ms": 800, "max_words": 9})
    each = let_go(said, Rules(per_agent=True, polled=True, by_delta=True), limits)
    once = let_go(said, ALL, limits)
    assert [reason for reason, _ in each] == ["max_wait", "max_wait"]
    assert [reason for reason, _ in once] == ["max_wait", "end_of_trace"]


@pytest.mark.parametrize(
    ("text", "ends"),
    [("so.", True), ("so.)", True), ('"so?"', True), ("so.\n", True), ("so\n ", True), ("so.\n\n", True),
     ("so", False), ("so) ", False), ("so.x", False), ("so\t", False), ("", False)],
)  # fmt: skip
def test_cues_of_the_published_gate(text: str, *, ends: bool) -> None:
    """Closing brackets and quotes may follow a cue, blanks and tabs do not count."""
    assert ends_at_published_cue(text) is ends


deltas = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1500), st.sampled_from(
    (" one", "two", ".", "\n", ' "', '"', " three four", "5", ")", "?")
)), min_size=1, max_size=60)  # fmt: skip


@given(deltas)
@settings(max_examples=60, deadline=None)
def test_all_rules_together_are_those_of_a_slow_second_gate(steps: list[tuple[str, int, str]]) -> None:
    """The second gate keeps whole texts, splits them anew at each delta, and knows nothing of pieces."""
    times = np.cumsum([gap for _, gap, _ in steps]).tolist()
    said = [(agent, t_ms, text) for (agent, _, text), t_ms in zip(steps, times, strict=True)]
    trace = conversation(said)
    spoken = {turn.turn_id for turn in trace.turns if turn.text.strip()}
    heard = [delta for delta in trace.deltas if delta["turn_id"] in spoken]
    buffers: dict[str, list[tuple[int, int, str]]] = {}
    first: dict[str, int] = {}
    expected = []

    def go(agent: str, reason: str) -> None:
        expected.append((buffers[agent][0][0], buffers[agent][-1][0], reason))
        buffers[agent] = []
        first[agent] = 10**9

    for delta in heard:
        agent, now, seq = delta["agent_id"], delta["t_rel_ms"], delta["seq"]
        buffer = buffers.setdefault(agent, [])
        first.setdefault(agent, now)
        silent = bool(buffer) and now - buffer[-1][1] >= FEW.silence_ms
        if silent:
            go(agent, "silence")
        buffers[agent].append((seq, now, delta["delta_text"]))
        text = "".join(part for _, _, part in buffers[agent])
        n_words = len(text.split())
        if silent:
            continue
        if now - first[agent] >= FEW.max_wait_ms:
            go(agent, "max_wait")
        elif n_words >= FEW.max_words:
            go(agent, "max_words")
        elif n_words >= FEW.min_words and ends_at_published_cue(text):
            go(agent, "boundary_cue")
    for agent, buffer in buffers.items():
        if buffer:
            go(agent, "end_of_trace")
    assert [(one.start_seq, one.end_seq, one.reason) for one in replay_gate(trace, FEW, ALL)] == expected


@given(deltas)
@settings(max_examples=60, deadline=None)
def test_the_simulator_over_deltas_is_the_gate(steps: list[tuple[str, int, str]]) -> None:
    """What one agent says in a turn, let go by the vectorised simulator and by the gate, word for word."""
    said = [("a", index, text) for index, (_, _, text) in enumerate(steps)]
    records = [delta for delta in conversation(said).deltas if delta["delta_text"]]
    policies = [Policy(3, 5, 10**6, 10**6), Policy(2, 3, 10**6, 10**6)]
    found = Simulator(policies).flushes(calibration._stream(records))
    for number, policy in enumerate(policies):
        gate = AgentGate(TokenGateSettings(**policy.settings), ALL)
        chunks = []
        for delta in records:
            text = delta["delta_text"]
            chunks += gate.on_piece(Piece("a", delta["seq"], 0, len(text), text, delta["t_rel_ms"]))
        chunks += gate.on_turn_end(records[-1]["t_rel_ms"])
        expected = [
            (len("".join(piece.text for piece in chunk.pieces).split()), chunk.t_ms, chunk.reason) for chunk in chunks
        ]
        rows = np.flatnonzero(found.policy == number)
        assert [(found.words[i], found.t_ms[i], REASONS[found.reason[i]]) for i in rows] == expected


def test_the_page_shows_each_rule_and_the_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules stand in a table of the page, calibration cells in the document; a wrong published number is named."""
    folder = publish(tmp_path / "publication")
    write_calibration(folder, valid_policies_count=624)
    assert exaid_evals(["replicate", str(folder), "--json", "--no-concepts", "--page", str(tmp_path / "page.md")]) == 1
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    cells = {cell["measure"]: cell for cell in document["calibration"]["cells"]}
    assert cells["policy_validity.valid_policies_count"] == {
        "variant": "calibration", "measure": "policy_validity.valid_policies_count",
        "published": 624, "recomputed": 625, "equal": False,
    }  # fmt: skip
    assert {step["rule"] for step in document["gate"]} == set(STEPS)
    page = (tmp_path / "page.md").read_text()
    assert all(rule in page for rule in STEPS)
    assert "## The gate's calibration" in page


def test_what_no_rule_explains_is_named(tmp_path: Path) -> None:
    """The hand-made run's first flushes are no gate's: the first difference of a case stands beside the counts."""
    folder = publish(tmp_path)
    publication = Publication(folder)
    traces = {"case-1": read_published_trace(publication.trace_files["case-1"])}
    runs = {"V0": {"case-1": read_published_run(publication.run_files("V0")["case-1"])}}
    last = gate_steps(traces, runs, FEW)[-1]
    assert (last.n_published, last.n_replayed, last.n_equal) == (3, 3, 1)
    assert last.first == ("case-1: flush 0 is seq 2, boundary_cue as published, and seq 6, silence replayed",)


def test_the_size_of_fixed_chunks_is_the_median_of_medians(tmp_path: Path) -> None:
    """Flushes of 10 and 11 CTU in each case, without the last: 10.5, rounded up."""
    publication = Publication(publish(tmp_path))
    runs = {
        variant: {case: read_published_run(path) for case, path in publication.run_files(variant).items()}
        for variant in publication.variants
    }
    report = {"chunk_size_ctu": 11, "overall_median_ctu": 10.5, "per_case_median_ctu": {"case-1": 10.5, "case-2": 12}}
    cells = {cell.measure: cell for cell in calibration.chunk_size_cells(report, runs)}
    assert [cell.equal for cell in cells.values()] == [True, True, True, False]
    assert cells["per_case_median_ctu.case-2"].recomputed == 10.5


def test_limits_that_no_gate_can_have_are_named(tmp_path: Path) -> None:
    """Not a traceback: the file and the field."""
    folder = publish(tmp_path)
    write_calibration(folder, limits={**LIMITS, "min_words": "many"})
    with pytest.raises(DataError, match=r"calibration_summary.json.*selected_parameters"):
        calibration.published_limits(Publication(folder).calibration)


@pytest.mark.skipif(not EXAIM.is_dir(), reason="the published evaluation is not here (../shared/external/exaim)")
def test_every_published_flush_is_replayed() -> None:
    """Of three cases, by index, first and last delta and reason; the whole is in test_replicate."""
    publication = Publication(EXAIM)
    limits = calibration.published_limits(publication.calibration)
    assert limits is not None
    for case_id in list(publication.trace_files)[:3]:
        trace = read_published_trace(publication.trace_files[case_id])
        run = read_published_run(publication.run_files("V0")[case_id])
        published = [(flush["start_seq"], flush["end_seq"], reason_of(flush)) for flush in run.flushes]
        assert [(one.start_seq, one.end_seq, one.reason) for one in replay_gate(trace, limits, ALL)] == published
