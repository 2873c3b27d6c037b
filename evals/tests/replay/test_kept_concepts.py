"""What an extractor found is kept for the next stage, believed only as it was written, and bounded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations import WordExtractor
from exaid_evals.artifacts import cache
from exaid_evals.concepts.base import Mention
from exaid_evals.replay import kept_concepts
from exaid_evals.replay.kept_concepts import KeptConcepts, forget_old_concepts

TEXTS = ["A boy with FEVER.", "No RASH, but FEVER and COUGH.", "nothing", ""]
TRACE = "sha256:" + "0" * 64


class _Counting(WordExtractor):
    """Counts the texts that it is asked about, and marks mentions in every way."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        self.asked += texts
        odd = [Mention("X", 0, len(text), negated=True, experiencer="other", nested=True) for text in texts]
        return [(*found, one) for found, one in zip(super().mentions(texts), odd, strict=True)]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a folder of caches of its own."""
    monkeypatch.setattr(cache, "folders", lambda: [tmp_path / "cache"])
    return tmp_path / "cache" / "concepts"


def _found(
    texts: Sequence[str] = TEXTS, *, kind: str = "words", trace: str = TRACE, fresh: bool = False
) -> tuple[list[tuple[Mention, ...]], list[str]]:
    """Return the mentions of texts and which of them an extractor was asked about."""
    extractor = _Counting()
    kept = KeptConcepts(extractor, kind, fresh=fresh)
    of_trace = kept.of(trace, extractor)
    mentions = of_trace.mentions(texts)
    kept.save(of_trace)
    return mentions, extractor.asked


def test_what_was_found_is_not_asked_again() -> None:
    """Mentions come back with everything that is known of them; only new texts are asked about, each once."""
    expected = _Counting().mentions(TEXTS)
    assert _found() == (expected, TEXTS)
    assert _found() == (expected, [])
    assert _found([*TEXTS, "NEW", "NEW"]) == ([*expected, *_Counting().mentions(["NEW", "NEW"])], ["NEW"])
    assert _found(["NEW"])[1] == []


def test_another_conversation_and_force_ask_again() -> None:
    """What is kept belongs to one conversation; whoever wants it fresh reads nothing of it."""
    _found()
    assert _found(trace="sha256:" + "1" * 64)[1] == TEXTS
    assert _found(fresh=True)[1] == TEXTS


def test_nothing_is_kept_of_an_extractor_of_ones_own(caches: Path) -> None:
    """Its code may change without anybody noticing."""
    assert _found(kind="conversations:build_words")[1] == TEXTS
    assert _found(kind="conversations:build_words")[1] == TEXTS
    assert not caches.exists()


_KEYS = st.sampled_from(["ids", "texts", "x"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_FILES = st.fixed_dictionaries({"ids": st.lists(st.just("Y"), max_size=2) | _VALUES, "texts": _VALUES})
_NUMBERS = st.lists(st.integers(-3, 99) | st.text(max_size=1) | st.booleans(), max_size=9)


@given(value=_VALUES | _FILES, n=st.integers(0, 12), numbers=_NUMBERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_file_that_is_not_as_written_costs_time_alone(caches: Path, value: Any, n: int, numbers: list[Any]) -> None:
    """Whatever lies there, no error comes of it, and no mention that does not lie in its text."""
    _found()
    [path] = caches.iterdir()
    good = cache.read(path)
    if n % 3 == 0:
        cache.write(path, value)
    elif n % 3 == 1:
        good["texts"] = dict.fromkeys(good["texts"], numbers)
        cache.write(path, good)
    else:
        path.write_bytes(path.read_bytes()[: 10 * n])
    mentions, _ = _found()
    for text, found in zip(TEXTS, mentions, strict=True):
        assert all(0 <= one.start <= one.end <= len(text) and isinstance(one.concept_id, str) for one in found)
    path.unlink(missing_ok=True)


def test_the_oldest_are_forgotten(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one conversation and of all of them, no more is kept than there is room for; a full process writes no more."""
    for number in range(4):
        _found(trace=f"sha256:{number:064d}")
    paths = sorted(caches.iterdir(), key=lambda path: path.name)
    for number, path in enumerate(paths):
        os.utime(path, (number, number))
    monkeypatch.setattr(kept_concepts, "_MOST_BYTES", 2 * paths[0].stat().st_size)
    forget_old_concepts()
    assert sorted(caches.iterdir()) == paths[2:]
    monkeypatch.setattr(kept_concepts, "_MOST_BYTES", 0)
    assert _found(["more"], trace="sha256:5")[1] == _found(["more"], trace="sha256:5")[1] == ["more"]
    monkeypatch.undo()


def test_the_oldest_texts_of_a_conversation_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay."""
    monkeypatch.setattr(kept_concepts, "_MOST_TEXTS", 2)
    _found(TEXTS)
    assert _found(TEXTS)[1] == TEXTS[:2]


def test_caches_that_cannot_be_written_are_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is kept then."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "folders", lambda: [tmp_path / "file" / "cache"])
    assert _found()[1] == _found()[1] == TEXTS
    forget_old_concepts()
