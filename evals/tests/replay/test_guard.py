"""What a part of somebody else's gives back is looked at field by field, and said by name where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from exaid_evals.clients.base import Usage
from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.lexicon import LexiconExtractor
from exaid_evals.errors import CaseFailedError
from exaid_evals.middleware.gates import Chunk, Piece
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, Update, render
from exaid_evals.middleware.triggers import Verdict
from exaid_evals.replay.guard import GuardedExtractor, checked_chunk, checked_update, checked_verdict, part

PIECE = Piece("doctor0", 0, 0, 6, "Fever.", 0)
CHUNK = Chunk((PIECE,), 0, "message")
VERDICT = Verdict("hold", {"value": True}, None, 0)
CONTENT = dict.fromkeys(FIELDS, "fine")
UPDATE = Update(CONTENT, render(CONTENT, SEMANTIC_FIELDS), render(CONTENT, FIELDS), None, Usage(1, 1, 1), 0)


def changed(what: Any, **fields: Any) -> Any:
    """Return a copy of a dataclass with other fields."""
    return replace(what, **fields)


def test_concepts_are_those_that_an_extractor_mentions() -> None:
    """One that is made from the lexicon and leaves something out leaves it out of the sets too."""

    class Careful(LexiconExtractor):
        id = "careful"

        def __init__(self) -> None:
            """Hold no vocabulary."""

        def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
            return [(Mention("HP:0001945", 0, 5),) for _ in texts]

    assert GuardedExtractor(Careful(), "careful").concept_sets(["Fever."]) == [frozenset({"HP:0001945"})]


@pytest.mark.parametrize(
    ("check", "given"), [(checked_chunk, CHUNK), (checked_verdict, VERDICT), (checked_update, UPDATE)]
)
def test_what_is_right_goes_through(check: Callable[[object], object], given: object) -> None:
    """A part's answer is handed on as it is."""
    assert check(given) is given


@pytest.mark.parametrize(
    ("check", "given", "message"),
    [
        (checked_chunk, "x", "a gate's methods give str, and must be Chunk"),
        (checked_chunk, changed(CHUNK, pieces=()), "or nothing"),
        (checked_chunk, changed(CHUNK, pieces=(PIECE, "word")), "something else than the pieces"),
        (checked_chunk, changed(CHUNK, t_ms=-1), "Chunk.t_ms is -1, and must be a whole number of ms from 0"),
        (checked_chunk, changed(CHUNK, t_ms=0.5), "Chunk.t_ms is 0.5"),
        (checked_chunk, changed(CHUNK, t_ms=True), "Chunk.t_ms is True"),
        (checked_chunk, changed(CHUNK, reason=None), "Chunk.reason is NoneType, and must be str"),
        (checked_verdict, None, "`decide` returns NoneType, and must be Verdict"),
        (checked_verdict, changed(VERDICT, decision=1), "Verdict.decision is int, and must be str"),
        (checked_verdict, changed(VERDICT, filters=[]), "Verdict.filters is list, and must be Mapping"),
        (checked_verdict, changed(VERDICT, usage={}), "Verdict.usage is dict, and must be Usage"),
        (checked_verdict, changed(VERDICT, latency_ms=-1), "Verdict.latency_ms is -1"),
        (checked_update, "text", "`summarize` returns str, and must be Update"),
        (checked_update, changed(UPDATE, error=7), "Update.error is int, and must be str"),
        (checked_update, changed(UPDATE, content=None, semantics_text=7), "Update.semantics_text is int"),
        (checked_update, changed(UPDATE, content=None, rendered_text=b"x"), "Update.rendered_text is bytes"),
        (checked_update, changed(UPDATE, usage=3), "Update.usage is int, and must be Usage"),
        (checked_update, changed(UPDATE, latency_ms="1"), "Update.latency_ms is '1'"),
    ],
)
def test_what_is_wrong_is_named(check: Callable[[object], object], given: object, message: str) -> None:
    """The message has the field, what it is and what it must be."""
    with pytest.raises(TypeError) as caught:
        check(given)
    assert message in str(caught.value)


def test_texts_that_are_not_of_the_fields_are_refused() -> None:
    """An update's two texts are `render` of its content, and text that a file can hold."""
    with pytest.raises(ValueError, match="make both texts with `render`"):
        checked_update(changed(UPDATE, rendered_text="something else"))
    with pytest.raises(UnicodeEncodeError):
        checked_update(changed(UPDATE, content=None, semantics_text="\ud800", rendered_text="\ud800"))


def test_a_broken_schema_is_a_failed_update() -> None:
    """It says why, keeps what it cost, and has no text."""
    broken = checked_update(changed(UPDATE, content={**CONTENT, "key_findings": ""}))
    assert broken.error is not None
    assert "key_findings" in broken.error
    assert (broken.content, broken.semantics_text, broken.rendered_text, broken.usage) == (None, "", "", Usage(1, 1, 1))
    assert checked_update(changed(UPDATE, error="")).error == "no reason given"


class Finds:
    """An extractor that finds what it is told to."""

    id = "finds"

    def __init__(self, *found: Sequence[Any]) -> None:
        """Keep what to give back for each text."""
        self.found = list(found)

    def mentions(self, texts: Sequence[str]) -> list[Any]:
        """Give it back."""
        return self.found


@pytest.mark.parametrize("span", [(0, 0), (0, 6), (6, 6), (2, 4)])
def test_mentions_within_the_text_are_handed_on(span: tuple[int, int]) -> None:
    """Empty ones and those at either end too."""
    mention = Mention("HP:1", *span)
    assert GuardedExtractor(Finds([mention]), "finds").mentions(["Fever."]) == [(mention,)]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([[], []], "TypeError: `mentions` returns 2 tuples for 1 texts"),
        ([["HP:1"]], "TypeError: `mentions` gives str, and must be Mention"),
        ([[Mention(1, 0, 1)]], "TypeError: Mention.concept_id is int, and must be str"),  # type: ignore[arg-type]
        ([[Mention("HP:1", -1, 1)]], "does not lie in its text of 6 characters"),
        ([[Mention("HP:1", 0, 7)]], "does not lie in its text of 6 characters"),
        ([[Mention("HP:1", 3, 2)]], "does not lie in its text of 6 characters"),
    ],
)
@pytest.mark.parametrize(("case_id", "on_case"), [(None, "extractor finds failed: "), ("case-1", "failed on case-1: ")])
def test_mentions_that_cannot_be_are_refused(found: Any, message: str, case_id: str | None, on_case: str) -> None:
    """The extractor is named, and the case where one is known."""
    with pytest.raises(CaseFailedError) as caught:
        GuardedExtractor(Finds(*found), "finds", case_id).mentions(["Fever."])
    assert message in str(caught.value)
    assert on_case in str(caught.value)


def test_only_errors_of_others_become_those_of_a_case() -> None:
    """What this package raises keeps its class and text; what a part raises is kept as the cause."""
    with pytest.raises(CaseFailedError, match="as it is"), part("V3", "gate", "message", "case-1"):
        raise CaseFailedError("as it is")
    with pytest.raises(CaseFailedError) as caught, part("V3", "gate", "message", "case-1"):
        raise KeyError("x")
    assert str(caught.value) == "V3: gate message failed on case-1: KeyError: 'x'"
    assert isinstance(caught.value.__cause__, KeyError)
