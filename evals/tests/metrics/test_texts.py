"""The table of which text each measure reads is what the code does: each text changed by itself, and who notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from conversations import build_words, conversation
from docs.measure_texts import COMPARED, CONVERSATION, NOTE, RENDERED, SEMANTICS, TEXTS, WINDOW, compared_by
from exaid_evals.concepts.base import Mention
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.noted import REFERENCE, STATEMENTS, NoteMeasures
from exaid_evals.metrics.observation import DecisiveStep, Observation, Update
from exaid_evals.metrics.registry import ON_REQUEST, load_measures
from exaid_evals.replay.clock import arrivals

MEASURES = {
    measure.name: measure
    for measure in load_measures(MetricsConfig(budget_list=(6, 9), tau_list=(0.20, 0.40), measures=("decisive_step",)))
    # What copies state by their labels needs labelled conversations, and has an oracle of its own.
    if not measure.name.startswith(("coverage_gold", "coverage_error", "extractor_", "gold_mentions"))
}


def update(t_ms: int, ids: str, *, window: str, text: str, said_ctu: int) -> Update:
    """Return an update that states one-letter concepts, four characters apart."""
    mentions = tuple(Mention(one, 4 * place, 4 * place + 1) for place, one in enumerate(ids))
    return Update(
        t_ms=t_ms,
        text=text,
        concepts=frozenset(ids),
        mentions=mentions,
        length=16,
        ctu=4,
        window_concepts=frozenset(window),
        flushed_ms=t_ms - 5,
        said_ctu=said_ctu,
        flushed_said_ctu=said_ctu - 1,
    )


SEEN = Observation(
    trace_ctu=40,
    stated_ms={"A": 10, "B": 20, "C": 150, "D": 30},
    updates=(
        update(100, "ABC", window="AB", text="fever is mild", said_ctu=10),
        update(200, "ACX", window="AC", text="fever is high", said_ctu=20),
        update(300, "BCD", window="D", text="no rash was seen", said_ctu=30),
    ),
    end_ms=400,
    step=DecisiveStep(frozenset("C"), start_ms=0),
)


def _each(change: Callable[[Update], Update]) -> Observation:
    return replace(SEEN, updates=tuple(map(change, SEEN.updates)))


def _other_statements(one: Update) -> Update:
    ids = {"A": "D", "B": "B", "C": "A", "D": "Y", "X": "C"}
    mentions = tuple(mention._replace(concept_id=ids[mention.concept_id]) for mention in one.mentions)
    kept = mentions[: 1 + one.t_ms // 200]
    concepts = frozenset(mention.concept_id for mention in kept)
    return replace(one, mentions=kept, concepts=concepts, text="rash and fever " + "and pain " * (one.t_ms == 100))


CHANGED = {
    CONVERSATION: [
        replace(
            _each(lambda one: replace(one, said_ctu=one.said_ctu + 7, flushed_said_ctu=one.flushed_said_ctu + 9)),
            trace_ctu=90,
            stated_ms={"A": 15, "C": 250, "D": 30, "E": 40, "X": 250},
        ),
        replace(SEEN, stated_ms={"B": 10, "C": 20, "D": 40, "A": 150}),
        replace(SEEN, stated_ms={"A": 10, "B": 20, "C": 350, "D": 30, "X": 1}),
    ],
    SEMANTICS: [
        _each(_other_statements),
        _each(lambda one: replace(one, mentions=(), concepts=frozenset(), text="")),
    ],
    RENDERED: [_each(lambda one, n=n: replace(one, length=n, ctu=one.t_ms // 25)) for n in (5, 40)],
    WINDOW: [_each(lambda one: replace(one, window_concepts=frozenset("B")))],
}


def texts_read(name: str) -> set[str]:
    """Return the texts on which a measure depends."""
    compute = MEASURES[name].compute
    before = compute(SEEN)
    return {text for text, others in CHANGED.items() if any(compute(other) != before for other in others)}


BY_REQUEST = MetricsConfig(measures=(REFERENCE, STATEMENTS))
EVERY = MetricsConfig(measures=tuple(ON_REQUEST))
"""The families that cost time, which a configuration asks for."""
WORDS = ("FEVER is mild since 5 days, no RASH.", "He has FEVER and takes 500 mg of amoxicillin. No RASH.")


@cache
def by_request() -> NoteMeasures:
    """Make what takes the measures of those families, once."""
    return NoteMeasures(BY_REQUEST, build_words({}, stop_entities=frozenset()), frozenset())


@cache
def noted(changed: str = "") -> dict[str, float | None]:
    """Return the measures of the families by request; one text is another where it is named."""
    said = "A COUGH." if changed == CONVERSATION else WORDS[1]
    trace = conversation(said, "Nothing else.")
    reported = "COUGH for 9 weeks, the RASH too." if changed == SEMANTICS else WORDS[0]
    window, length = ("B", 99) if changed in (WINDOW, RENDERED) else ("A", 16)
    one = replace(update(9_000_000, "A", window=window, text=reported, said_ctu=10), length=length)
    note = "He takes 250 mg of amoxicillin. There is a RASH." if changed == NOTE else WORDS[1]
    return by_request()(trace, arrivals(trace, 100.0), replace(SEEN, updates=(one,)), note)


@pytest.mark.parametrize("family", [REFERENCE, STATEMENTS])
def test_families_by_request_read_the_texts_of_their_row_and_no_other(family: str) -> None:
    """The note for the one, what had been said for the other; the updates for both."""
    before = {name: value for name, value in noted().items() if name.startswith(family)}
    read = {text for text in TEXTS if any(noted(text)[name] != value for name, value in before.items())}
    rows = {row for name in before if (row := compared_by(name))}
    assert before
    assert [set(row.texts) for row in rows] == [read]


def test_each_measure_reads_the_texts_of_its_row_and_no_other() -> None:
    """A row names what its measures depend on; f_i counts for coverage_at_* only where the budget is smaller."""
    for name in MEASURES:
        row = compared_by(name)
        if row is not None:
            assert texts_read(name) == set(row.texts), name


def test_what_is_in_no_row_compares_no_two_texts() -> None:
    """Other measures depend on one text at most."""
    others = [name for name in MEASURES if compared_by(name) is None]
    assert {name: texts_read(name) for name in others if len(texts_read(name)) > 1} == {}


def test_every_row_is_of_measures_and_texts_that_there_are() -> None:
    """No row is left behind by a measure that went."""
    every = [measure.name for measure in load_measures(EVERY)]
    assert all(set(row.texts) <= set(TEXTS) for row in COMPARED)
    assert {row.pattern for row in COMPARED} == {row.pattern for name in every if (row := compared_by(name))}
