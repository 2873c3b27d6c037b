"""The simulated talk: MAC's shape, stated distributions, and a stream for each case alone."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.gold import NOT_STATING, STATING, MentionKind, concepts_stated
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cases.base import Case
from exaid_evals.cases.synthetic import make_cases
from exaid_evals.config.mas_generation import LogNormal, MasGenerationConfig
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.ontologies import load_vocabulary
from exaid_evals.ontologies.hpo import phenotypes_of
from exaid_evals.traces.model import Message, Provenance, Trace, from_records, to_records
from exaid_evals.traces.stub.case_text import CaseText
from exaid_evals.traces.stub.dice import Dice
from exaid_evals.traces.stub.discussion import DOCTORS, discuss
from exaid_evals.traces.stub.findings import read_case, split_sentences
from exaid_evals.traces.stub.generator import StubSource
from exaid_evals.traces.stub.glossary import ENTRIES
from exaid_evals.traces.stub.labels import gold_mentions
from exaid_evals.traces.stub.linking import concept_of
from exaid_evals.traces.stub.phrasing import Phrasebook, inflect
from exaid_evals.traces.stub.statements import Block, Mention, Statement, Turn, filled
from exaid_evals.traces.stub.timing import chunks_of
from small_cases import load

PROVENANCE = Provenance("mas-" + "0" * 16, "8" * 40, "stub-groupchat-2", stub=True)
CASES = load()


def generated(seed: int = 42, cases: Sequence[Case] = CASES, **stub: float) -> list[Trace]:
    """Return the talks about some cases."""
    config = MasGenerationConfig.model_validate({"seed": seed, "stub": stub})
    source = StubSource(config, PROVENANCE, CASES)
    return [source.generate(case) for case in cases]


TALKS = [trace for seed in range(8) for trace in generated(seed)]


def doctors(trace: Trace) -> list[Message]:
    """Return the doctors' messages."""
    return [message for message in trace.messages if message.agent_id in DOCTORS]


def test_shape_of_the_group_chat() -> None:
    """The supervisor opens with the case and closes with TERMINATE; every doctor speaks; 9 to 13 messages in all."""
    for trace in TALKS:
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
    """The last message holds one JSON object; its leading diagnosis is no rival of itself."""
    for trace in TALKS:
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
    for trace in TALKS:
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
    lengths = [len(message.content) for trace in TALKS for message in doctors(trace)]
    assert max(lengths) <= 2000
    assert min(lengths) > 300
    assert 900 < statistics.median(lengths) < 1500


def test_pauses_follow_the_configuration() -> None:
    """About one chunk in twenty is preceded by a pause of seconds; none where the probability is 0."""
    gaps = [
        later - earlier
        for trace in TALKS
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


def test_talk_repeats_negates_abbreviates_and_paraphrases() -> None:
    """Every kind of mention occurs, and a short form is spelled out before it is used."""
    text = "\n".join(message.content for trace in TALKS for message in doctors(trace))
    for words in ("no fever" if "no fever" in text else "weight loss", "(VSD)", "Doctor1", "“", "**"):
        assert words in text
    kinds = Counter[MentionKind]()
    for number, case in enumerate(CASES):
        dice = Dice(number, case.case_id, "talk")
        config = MasGenerationConfig().stub.talk
        turns = discuss(case, case.initial_presentation, ["R one", "R two", "R three", "R four"], config, 13, dice)
        spoken = "\n".join(turn.content for turn in turns[1:])
        if re.search(r"(?<!\()\bVSD\b", spoken):
            assert spoken.index("(VSD)") < re.search(r"(?<!\()\bVSD\b", spoken).start()  # type: ignore[union-attr]
        for turn in turns:
            for statement in (statement for block in turn.blocks for statement in block.statements):
                for mention in statement.mentions:
                    kinds[mention.kind] += 1
                    assert mention.surface.casefold() in statement.text.casefold()
    assert set(kinds) == set(MentionKind)


def test_labels_lie_where_their_words_are() -> None:
    """Each gold label of a talk covers, in the message, the words by which it was made; none stands there twice."""
    config = MasGenerationConfig().stub.talk
    for number, case in enumerate(CASES):
        dice = Dice(number, case.case_id, "talk")
        for turn in discuss(case, case.initial_presentation, ["R one", "R two", "R three"], config, 13, dice):
            for mention in turn.mentions:
                there = turn.content[mention.start : mention.end]
                assert there.casefold() == mention.surface.casefold()
            labels = gold_mentions(turn)
            assert len(labels) == len(set(labels))
            assert list(labels) == sorted(labels, key=lambda label: label.order)


def test_gold_concepts_are_what_is_stated_and_nothing_else() -> None:
    """A message's gold concepts are those of its stating labels; what it denies or says of relatives is none."""
    kinds = Counter[MentionKind]()
    only_denied = 0
    for trace in TALKS:
        for message in trace.messages:
            assert message.gold_mentions is not None
            assert message.gold_concepts == concepts_stated(message.gold_mentions)
            stated = {label.concept_id for label in message.gold_mentions if label.kind in STATING}
            silent = {label.concept_id for label in message.gold_mentions if label.kind in NOT_STATING}
            assert set(message.gold_concepts) == stated - {None}
            only_denied += bool(silent - stated - {None})
            kinds.update(label.kind for label in message.gold_mentions)
    assert only_denied > 20
    assert set(kinds) == set(MentionKind)


def test_a_synonym_states_the_phrase_that_it_stands_for() -> None:
    """Whatever form is chosen, the concept is that of the phrase in the case: fits are seizures."""
    stated: dict[str, set[str | None]] = {}
    for trace in TALKS:
        for message in trace.messages:
            for label in message.gold_mentions or ():
                if label.kind in STATING:
                    stated.setdefault(message.content[label.start : label.end].lower(), set()).add(label.concept_id)
    assert stated["fits"] == stated["convulsions"] == {"HP:0001250"}
    assert stated["pyrexia"] == {concept_of("fever")} == {"HP:0001945"}
    assert stated["vsd"] == stated["ventricular septal defect (vsd)"] == {"HP:0001629"}
    assert stated["hepatic cyst"] == {concept_of("hepatic cysts")}


def test_the_glossarys_ids_are_the_vocabularies_own() -> None:
    """Every id of the glossary exists, and a phrase that is a phenotype's name has that phenotype's id."""
    terms = [term for name in ("hpo", "mesh") for term in load_vocabulary(name).terms]
    known = {term.id for term in terms}
    phenotypes = {term.name.casefold(): term.id for term in load_vocabulary("hpo").terms}
    for entry in ENTRIES.values():
        assert entry.concept_id in known | {""}, entry.phrase
        assert entry.concept_id == phenotypes.get(entry.phrase, entry.concept_id), entry.phrase
    assert sum(not entry.concept_id for entry in ENTRIES.values()) <= 2


def test_a_real_report_is_copied_and_a_synthetic_one_is_known() -> None:
    """What a message copies from somebody else's report has no concept; the generator's own reports have theirs."""
    (trace,) = generated(cases=CASES[:1])
    (label,) = trace.messages[0].gold_mentions or ()
    assert label.kind is MentionKind.COPIED
    assert json.loads(trace.messages[0].content[label.start : label.end]) == CASES[0].initial_presentation
    cases = [replace(case, source="synthetic") for case in make_cases(42, n=3)]
    for case, trace in zip(cases, generated(cases=cases), strict=True):
        phenotypes = {term.id for term in phenotypes_of(case.diagnosis_id or "")}
        opening = trace.messages[0]
        assert len(opening.gold_concepts or ()) >= 8
        assert set(opening.gold_concepts or ()) <= phenotypes
        assert not any(label.kind is MentionKind.COPIED for label in opening.gold_mentions or ())
        denied = re.findall(r"There was no (?:history of )?([^.]+)", opening.content)
        assert bool(denied) == any(label.kind is MentionKind.NEGATED for label in opening.gold_mentions or ())


def test_denials_of_a_synthetic_report_are_labelled_one_by_one() -> None:
    """Each item of a denied list is a label of its own, without its article."""
    statement = CaseText(["fever", "cough"]).labelled("There was no history of fever or a skin rash. He had Cough.")
    assert [(mention.kind.value, mention.surface) for mention in statement.mentions] == [
        ("negated", "fever"),
        ("negated", "skin rash"),
        ("canonical", "Cough"),
    ]
    assert all(statement.text[m.start : m.end] == m.surface for m in statement.mentions)


@given(st.lists(st.tuples(st.text(max_size=5), st.sampled_from(["fever", "ßrash", "ﬁt"])), min_size=1, max_size=4))
def test_mentions_keep_their_place_in_whatever_is_built_of_them(parts: list[tuple[str, str]]) -> None:
    """Filling, framing, capitals and joining move a mention with its words."""
    statements = []
    for before, word in parts:
        named = Statement.naming(Mention(MentionKind.CANONICAL, word, word))
        text = "".join(char for char in before if char not in "{}")
        statements.append(filled(text + "{a} is {a}.", {"a": named}).capitalised().lowered().between("- ", "!"))
    turn = Turn("doctor0", (Block(tuple(statements), "\n"), Block(()), Block(tuple(statements))))
    for mention in turn.mentions:
        assert turn.content[mention.start : mention.end].casefold() == mention.surface.casefold()
    assert len(list(turn.mentions)) == 4 * len(parts)


def test_the_generator_borrows_nothing_from_an_extractor() -> None:
    """A talk is generated and labelled without the extractors' code: their words are not its words."""
    code = (
        "import sys; from small_cases import load; from exaid_evals.config.mas_generation import MasGenerationConfig;"
        "from exaid_evals.traces.model import Provenance; from exaid_evals.traces.stub.generator import StubSource;"
        "source = StubSource(MasGenerationConfig(), Provenance('mas-' + '0' * 16, '8' * 40, 'stub-1', True), load());"
        "assert any(m.gold_concepts for m in source.generate(load()[0]).messages);"
        "print([name for name in sys.modules if name.startswith('exaid_evals.concepts')])"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_extractor_borrows_from_the_generator() -> None:
    """No module of the extractors names the generator, and none holds one of its paraphrases of several words."""
    room = Path(find_spec("exaid_evals.concepts").origin or "").parent  # type: ignore[union-attr]
    code = {path.name: path.read_text(encoding="utf-8").casefold() for path in room.glob("*.py")}
    assert len(code) > 10
    for name, text in code.items():
        assert "exaid_evals.traces" not in text, name
        assert [
            other for entry in ENTRIES.values() for other in entry.others if other.count(" ") and other in text
        ] == []


def test_records_are_valid() -> None:
    """Every record of a talk is an `exaid.trace` and says that it is a stub."""
    for trace in TALKS[:12]:
        for record in to_records(trace):
            assert list(violations(record)) == []
            assert record["metadata"]["stub"] is True


def test_labels_survive_the_file() -> None:
    """A talk is the same after it was written and read; before 1.2.0 there were concepts without places."""
    trace = TALKS[0]
    records = to_records(trace)
    assert from_records(records, where="here").messages == trace.messages
    for record in records:
        record["schema_version"] = "1.1.0"
        del record["metadata"]["gold_mentions"]
        assert list(violations(record)) == []
    older = from_records(records, where="here")
    assert [message.gold_concepts for message in older.messages] == [one.gold_concepts for one in trace.messages]
    assert {message.gold_mentions for message in older.messages} == {None}


def test_labels_that_contradict_the_text_are_refused() -> None:
    """A place beyond the text, concepts that no label states, and labels out of order are no gold."""
    records = to_records(TALKS[0])
    first = records[1]["metadata"]
    changes = {
        "beyond the content": {"gold_mentions": [{"kind": "negated", "concept_id": None, "start": 5, "end": 10**6}]},
        "are not the concepts": {"gold_concepts": ["HP:0000001"]},
        "not in the order": {"gold_mentions": first["gold_mentions"][::-1]},
    }
    for what, change in changes.items():
        broken = [records[0], {**records[1], "metadata": {**first, **change}}, *records[2:]]
        with pytest.raises(DataError, match=what):
            from_records(broken, where="here")


def test_each_case_has_a_stream_of_its_own() -> None:
    """Neither order nor the other selected cases change a talk; another seed changes all."""
    forward = {trace.case_id: trace for trace in generated()}
    backward = {trace.case_id: trace for trace in generated(cases=CASES[::-1])}
    assert forward == backward
    assert generated(cases=CASES[3:4])[0] == forward[CASES[3].case_id]
    assert all(trace != forward[trace.case_id] for trace in generated(seed=43))


def test_failures_are_planted_at_the_stated_rate() -> None:
    """Rate 0 plants none, rate 1 all, and the talks of the others do not change."""
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
    """Findings and denials of a case are told apart."""
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
    config = MasGenerationConfig.model_validate({"stub": {"talk": {"abbreviate": 1}}}).stub.talk
    book = Phrasebook({"bizarre thing": "BT"}, config, Dice(1, "case-x", "talk"))
    assert [book.name("bizarre thing").surface for _ in range(3)] == ["bizarre thing (BT)", "BT", "BT"]


def test_dice_follow_their_law() -> None:
    """A cut-off log-normal has its median, and no value beyond its ends."""
    dice = Dice(1, "case-x", "test")
    law = LogNormal(median=100, sigma=0.5, low=50, high=300)
    values = [dice.log_normal(law) for _ in range(4000)]
    assert 95 < statistics.median(values) < 105
    assert min(values) == 50
    assert max(values) == 300
    assert sorted(dice.sample(range(5), 9)) == [0, 1, 2, 3, 4]
