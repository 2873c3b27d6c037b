"""No text breaks the lexicon, however hostile."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaid_evals.concepts import Extractor
from exaid_evals.concepts import lexicon as lexicon_module
from exaid_evals.concepts import matcher as matcher_module
from timing import growth

_HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list(" \t\n\r.,;:()[]{}/-–'’\"+=%<>0123456789IQno\u00a0\u200b\u202e\x00\x1b")),
        st.characters(codec="utf-8"),
    ),
    max_size=80,
)
_CUES = """
no denies fever seizures short stature and or with of the (VSD) mother had IQ 45 limbs small ear ears , . - / not
ventricular septal defect hypoplastic absent family history: resolved negative for type 2 II
"""
_WORDS = st.lists(st.sampled_from(_CUES.split()), max_size=30).map(" ".join)


@settings(max_examples=300)
@given(texts=st.lists(st.one_of(_HOSTILE, _WORDS, st.tuples(_WORDS, _HOSTILE).map("".join)), max_size=6))
def test_no_text_breaks_the_extractor(texts: list[str], lexicon: Extractor) -> None:
    """Whatever the text, mentions lie within it, in order, and say the same alone as among others."""
    annotate: Any = lexicon.annotate  # type: ignore[attr-defined]
    found = annotate(texts)
    assert found == [annotate([text])[0] for text in texts]
    for text, mentions in zip(texts, found, strict=True):
        places = [(one.start, one.end, one.concept_id) for one in mentions]
        assert places == sorted(places)
        assert all(0 <= start < end <= len(text) for start, end, _ in places)


@pytest.mark.parametrize(
    "phrase",
    [
        "short stature and limbs, no fever and ear anomalies ",
        "cleft lip and palate, ",
        "mother had seizures and ",
        "ataxia which was ruled out, ",
        "fever no, ",
        "her mother, who has fever ",
    ],
)
def test_a_sentence_without_end_takes_time_in_proportion(lexicon: Extractor, phrase: str) -> None:
    """Findings and denials without a full stop: eight times as many take eight times as long, and not 64 times."""
    annotate: Any = lexicon.annotate  # type: ignore[attr-defined]
    beginnings = iter(("I ", "She ", "He ", "They ", "We "))  # each text is a new one: those read before are remembered

    def found(times: int) -> None:
        assert len(annotate([next(beginnings) + phrase * times])[0]) >= times

    assert growth(found, 500, times=8) < 30


def test_threads_share_an_extractor(lexicon: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is forgotten in one thread while others read, and each still finds what there is."""
    monkeypatch.setattr(lexicon_module, "_KNOWN", 3)
    monkeypatch.setattr(lexicon_module, "_KNOWN_TEXTS", 0)
    monkeypatch.setattr(lexicon_module, "_AT_ONCE", 100)
    monkeypatch.setattr(matcher_module, "_REMEMBERED", 1)
    shared = lexicon_module.LexiconExtractor(lexicon._compiled)  # type: ignore[attr-defined]
    texts = [f"No fever. Short stature and limbs. {word} ataxia was seen. A rash." for word in _CUES.split()]
    expected = lexicon.mentions(texts)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: shared.mentions(texts), range(16)))
    finally:
        sys.setswitchinterval(interval)
    assert found == [expected] * 16
