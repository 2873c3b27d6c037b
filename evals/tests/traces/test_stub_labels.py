"""What the simulated conversation states is labelled: the words' places, the right concepts, by no extractor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.gold import NOT_STATING, STATING, MentionKind, concepts_stated
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cases.synthetic import make_cases
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.errors import DataError
from exaid_evals.ontologies import load_vocabulary
from exaid_evals.ontologies.hpo import phenotypes_of
from exaid_evals.traces.model import from_records, to_records
from exaid_evals.traces.stub.conversation import discuss
from exaid_evals.traces.stub.findings import CaseText, concept_of
from exaid_evals.traces.stub.generator import gold_mentions
from exaid_evals.traces.stub.glossary import ENTRIES
from exaid_evals.traces.stub.statements import Block, Mention, Sampler, Statement, Turn, filled
from stub_conversations import CASES, CONVERSATIONS, generated


def test_labels_lie_where_their_words_are() -> None:
    """Each gold label covers, in the message, the words by which it was made; none is a duplicate."""
    config = MasGenerationConfig().stub.conversation
    for number, case in enumerate(CASES):
        sampler = Sampler(number, case.case_id, "talk")
        for turn in discuss(case, case.initial_presentation, ["R one", "R two", "R three"], config, 13, sampler):
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
    for trace in CONVERSATIONS:
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
    for trace in CONVERSATIONS:
        for message in trace.messages:
            for label in message.gold_mentions or ():
                if label.kind in STATING:
                    stated.setdefault(message.content[label.start : label.end].lower(), set()).add(label.concept_id)
    assert stated["fits"] == stated["convulsions"] == {"HP:0001250"}
    assert stated["pyrexia"] == {concept_of("fever")} == {"HP:0001945"}
    assert stated["vsd"] == stated["ventricular septal defect (vsd)"] == {"HP:0001629"}
    assert stated["hepatic cyst"] == {concept_of("hepatic cysts")}


@pytest.mark.slow
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


_NAMES = ["fever", "high fever", "fever-like rash", "skin rash", "rash", "kink", "folie à deux", "2q-pain"]
_PIECES = [*_NAMES, "FEVER", "\u212a\u0131n\u212a", "ra\u017fh", "S\u0130", "ß", "À", " ", " ", "-", "_", ".", "x", "1"]


@given(st.lists(st.sampled_from(_NAMES)), st.lists(st.sampled_from(_PIECES) | st.text(max_size=2)).map("".join))
def test_names_are_found_as_by_an_alternation(names: list[str], text: str) -> None:
    """Whole words in any case, the first and there the longest, as a regular expression of all names finds them."""
    either = "|".join(map(re.escape, sorted(set(names), key=len, reverse=True)))
    found = re.finditer(rf"(?<![\w-])(?:{either})(?![\w-])", text, re.IGNORECASE) if names else ()
    expected = [(match[0], match.start()) for match in found]
    assert [(one.surface, one.start) for one in CaseText(names).labelled(text).mentions] == expected


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
    """A conversation is generated and labelled without the extractors' code: their words are not its words."""
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
    package = Path(find_spec("exaid_evals.concepts").origin or "").parent  # type: ignore[union-attr]
    code = {path.name: path.read_text(encoding="utf-8").casefold() for path in package.glob("*.py")}
    assert len(code) > 10
    # Before a wording stands the name that a vocabulary has.
    code["wordings.py"] = re.sub(r"(?m)^[^:\n]+: ", "", code["wordings.py"])
    for name, text in code.items():
        assert "exaid_evals.traces" not in text, name
        assert [
            other for entry in ENTRIES.values() for other in entry.others if other.count(" ") and other in text
        ] == []


def test_records_are_valid() -> None:
    """Every record of a conversation is an `exaid.trace` and says that it is a stub."""
    for trace in CONVERSATIONS[:12]:
        for record in to_records(trace):
            assert list(violations(record)) == []
            assert record["metadata"]["stub"] is True


def test_labels_survive_the_file() -> None:
    """A conversation is the same after it was written and read; before 1.2.0 there were concepts without places."""
    trace = CONVERSATIONS[0]
    records = to_records(trace)
    assert from_records(records, where="here").messages == trace.messages
    for record in records:
        record["schema_version"] = "1.1.0"
        del record["metadata"]["gold_mentions"], record["time_basis"]
        assert list(violations(record)) == []
    older = from_records(records, where="here")
    assert [message.gold_concepts for message in older.messages] == [one.gold_concepts for one in trace.messages]
    assert {message.gold_mentions for message in older.messages} == {None}


def test_labels_that_contradict_the_text_are_refused() -> None:
    """A place beyond the text, concepts that no label states, and labels out of order are not gold."""
    records = to_records(CONVERSATIONS[0])
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
