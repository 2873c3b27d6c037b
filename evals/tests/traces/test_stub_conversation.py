"""The simulated conversations: MAC's shape, stated distributions, and a stream for each case alone."""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.gold import MentionKind
from exaid_evals.config.mas_generation import LogNormal, MasGenerationConfig
from exaid_evals.errors import CaseFailedError
from exaid_evals.traces.model import Message, Trace
from exaid_evals.traces.stub.conversation import DOCTORS, discuss
from exaid_evals.traces.stub.findings import read_case, split_sentences
from exaid_evals.traces.stub.generator import StubSource, chunks_of
from exaid_evals.traces.stub.statements import Sampler
from exaid_evals.traces.stub.wording import Phrasebook, inflect
from stub_conversations import CASES, CONVERSATIONS, PROVENANCE, generated


def doctors(trace: Trace) -> list[Message]:
    """Return the doctors' messages."""
    return [message for message in trace.messages if message.agent_id in DOCTORS]


def test_shape_of_the_group_chat() -> None:
    """The supervisor opens with the case and closes with TERMINATE; every doctor speaks; 9 to 13 messages in all."""
    for trace in CONVERSATIONS:
        agents = [message.agent_id for message in trace.messages]
        assert agents[0] == agents[-1] == "supervisor"
        assert agents[1:4] == list(DOCTORS)
        assert 9 <= len(agents) <= 13
        assert 6 <= len(doctors(trace)) <= 10
        assert 1 <= agents[1:-1].count("supervisor") <= 2
        assert trace.messages[-1].content.endswith("\n\nTERMINATE")
        assert not any("TERMINATE" in message.content for message in trace.messages[:-1])


def test_opening_holds_the_whole_case() -> None:
    """Message 0 carries every section of the presentation, word for word."""
    (trace,) = generated(cases=CASES[:1])
    opening = trace.messages[0].content
    assert json.loads(opening[opening.index("{") :]) == CASES[0].initial_presentation


def test_summary_is_json_with_four_parts() -> None:
    """The last message holds one JSON object; its leading diagnosis is not a rival of itself."""
    for trace in CONVERSATIONS:
        found = re.search(r"```json\n(.*?)\n```", trace.messages[-1].content, re.DOTALL)
        assert found is not None
        state = json.loads(found[1])
        assert list(state) == [
            "Most Likely Diagnosis",
            "Differential Diagnosis",
            "Recommended Tests",
            "Areas of Disagreement",
        ]
        assert state["Most Likely Diagnosis"] not in state["Differential Diagnosis"]
        assert all(state.values())


def test_streams_add_up_and_times_never_decrease() -> None:
    """Chunks add up to the message, begin with it, and end before the next message begins."""
    for trace in CONVERSATIONS:
        end = -1
        for message in trace.messages:
            times = [t_ms for t_ms, _ in message.stream]
            assert sum(n for _, n in message.stream) == len(message.content)
            assert times == sorted(times)
            assert times[0] == message.t_rel_ms > end
            end = times[-1]
        assert trace.messages[0].t_rel_ms == 0


def test_lengths_follow_the_configuration() -> None:
    """Doctors' messages keep to 2,000 code points; their median lies near the configured aim."""
    lengths = [len(message.content) for trace in CONVERSATIONS for message in doctors(trace)]
    assert max(lengths) <= 2000
    assert min(lengths) > 300
    assert 900 < statistics.median(lengths) < 1500


def test_pauses_follow_the_configuration() -> None:
    """About one chunk in twenty is preceded by a pause of seconds; none where the probability is 0."""
    gaps = [
        later - earlier
        for trace in CONVERSATIONS
        for message in trace.messages[1:]
        for (earlier, _), (later, _) in zip(message.stream, message.stream[1:], strict=False)
    ]
    assert 0.02 < sum(gap >= 4000 for gap in gaps) / len(gaps) < 0.1
    still = generated(timing={"pause_probability": 0})  # type: ignore[arg-type]
    slowest = max(
        (later - earlier) / n
        for trace in still
        for message in trace.messages
        for (earlier, n), (later, _) in zip(message.stream, message.stream[1:], strict=False)
    )
    assert slowest <= 1000 / 25 + 1


def test_conversation_repeats_negates_abbreviates_and_paraphrases() -> None:
    """Every kind of mention occurs, and a short form is spelled out before it is used."""
    text = "\n".join(message.content for trace in CONVERSATIONS for message in doctors(trace))
    for words in ("no fever" if "no fever" in text else "weight loss", "(VSD)", "Doctor1", "“", "**"):
        assert words in text
    kinds = Counter[MentionKind]()
    for number, case in enumerate(CASES):
        sampler = Sampler(number, case.case_id, "talk")
        config = MasGenerationConfig().stub.conversation
        turns = discuss(case, case.initial_presentation, ["R one", "R two", "R three", "R four"], config, 13, sampler)
        spoken = "\n".join(turn.content for turn in turns[1:])
        if re.search(r"(?<!\()\bVSD\b", spoken):
            assert spoken.index("(VSD)") < re.search(r"(?<!\()\bVSD\b", spoken).start()  # type: ignore[union-attr]
        for turn in turns:
            for statement in (statement for block in turn.blocks for statement in block.statements):
                for mention in statement.mentions:
                    kinds[mention.kind] += 1
                    assert mention.surface.casefold() in statement.text.casefold()
    assert set(kinds) == set(MentionKind)


def test_each_case_has_a_stream_of_its_own() -> None:
    """Neither order nor the other selected cases change a conversation; another seed changes all."""
    forward = {trace.case_id: trace for trace in generated()}
    backward = {trace.case_id: trace for trace in generated(cases=CASES[::-1])}
    assert forward == backward
    assert generated(cases=CASES[3:4])[0] == forward[CASES[3].case_id]
    assert all(trace != forward[trace.case_id] for trace in generated(seed=43))


def test_failures_are_planted_at_the_stated_rate() -> None:
    """Rate 0 plants none, rate 1 all, and the conversations of the others do not change."""
    config = MasGenerationConfig.model_validate({"stub": {"failure_rate": 0.5}})
    source = StubSource(config, PROVENANCE, CASES)
    spared, reasons = [], []
    for case in CASES:
        try:
            spared.append(source.generate(case))
        except CaseFailedError as error:
            reasons.append(error.what)
    calm = {trace.case_id: trace for trace in generated()}
    assert 2 <= len(reasons) <= 10
    assert all(re.match(r"(timeout|rate limit|no termination|malformed answer): ", reason) for reason in reasons)
    assert all(trace == calm[trace.case_id] for trace in spared)
    with pytest.raises(CaseFailedError):
        generated(failure_rate=1.0)


def test_follow_up_stage_presents_the_later_tests() -> None:
    """`stage: follow_up` gives the agents the follow-up presentation."""
    config = MasGenerationConfig.model_validate({"mac": {"stage": "follow_up"}})
    trace = StubSource(config, PROVENANCE, CASES).generate(CASES[0])
    assert "Exome sequencing was performed." in trace.messages[0].content


def test_one_case_is_enough() -> None:
    """A data set of one case has no other diagnosis to argue about, and is still talked about."""
    source = StubSource(MasGenerationConfig(), PROVENANCE, CASES[:1])
    assert 9 <= len(source.generate(CASES[0]).messages) <= 13


@given(st.text(max_size=300))
def test_chunks_add_up_to_any_text(text: str) -> None:
    """Splitting loses nothing, whatever the text, and no chunk is empty."""
    chunks = chunks_of(text)
    assert "".join(chunks) == text
    assert all(chunks)


@given(st.text(max_size=300))
def test_any_presentation_can_be_read(text: str) -> None:
    """No text of a case breaks the reading of it."""
    reading = read_case({"Presentation": text})
    assert all(sentence for _, sentence in reading.sentences)


def test_sentences_keep_abbreviations_and_numbers() -> None:
    """Titles, initials and decimals end no sentence; a unit of temperature does."""
    assert split_sentences("Seen by Dr. Smith. It was 38.5°C. No rash.") == [
        "Seen by Dr. Smith.",
        "It was 38.5°C.",
        "No rash.",
    ]


def test_reading_finds_what_the_patient_has_and_has_not() -> None:
    """Findings and denials of a case are distinguished."""
    reading = read_case(CASES[0].initial_presentation)
    found = {finding.phrase for finding in reading.findings}
    assert {"fever", "recurrent seizures", "low-set ears", "thrombocytopenia", "hepatic cysts"} <= found | {
        "recurrent seizures"
    }
    assert "weight loss" not in found
    assert [finding.phrase for finding in reading.denied] == ["weight loss"]


@pytest.mark.parametrize(
    ("phrase", "other"),
    [
        ("hepatic cysts", "hepatic cyst"),
        ("liver lesion", "liver lesions"),
        ("dilatation of the bile ducts", "bile duct dilatation"),
        ("ataxia", "ataxia"),
        ("low-set ears", "low-set ears"),
    ],
)
def test_inflection_is_careful(phrase: str, other: str) -> None:
    """Number and word order change where that is safe, and nowhere else."""
    assert inflect(phrase) == other


def test_short_forms_are_introduced_first() -> None:
    """A phrase is spelled out with its short form once, and abbreviated from then on."""
    config = MasGenerationConfig.model_validate({"stub": {"conversation": {"abbreviate": 1}}}).stub.conversation
    book = Phrasebook({"bizarre thing": "BT"}, config, Sampler(1, "case-x", "talk"))
    assert [book.name("bizarre thing").surface for _ in range(3)] == ["bizarre thing (BT)", "BT", "BT"]


def test_dice_follow_their_law() -> None:
    """A cut-off log-normal has its median, and no value beyond its ends."""
    sampler = Sampler(1, "case-x", "test")
    law = LogNormal(median=100, sigma=0.5, low=50, high=300)
    values = [sampler.log_normal(law) for _ in range(4000)]
    assert 95 < statistics.median(values) < 105
    assert min(values) == 50
    assert max(values) == 300
    assert sorted(sampler.sample(range(5), 9)) == [0, 1, 2, 3, 4]
