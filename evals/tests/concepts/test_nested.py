"""Names within longer names: which of them `concepts` shows, and that none counts."""

from __future__ import annotations

import pytest

from exaid_evals.concepts import AnnotatingExtractor, Extractor


def test_what_lies_in_a_longer_mention_is_shown_and_not_counted(lexicon: Extractor) -> None:
    """A phenotype within one of its kinds is nested: `annotate` has it, `mentions` has not."""
    text = "Conductive hearing impairment is part of this syndrome."
    assert isinstance(lexicon, AnnotatingExtractor)
    shown = {(one.concept_id, one.nested) for one in lexicon.annotate([text])[0]}
    assert shown == {("HP:0000405", False), ("HP:0000365", True)}
    assert lexicon.concept_sets([text])[0] == {"HP:0000405"}


def test_of_one_patient_what_a_disease_is_called_by_is_shown(lexicon: Extractor) -> None:
    """A phenotype within the name of a disease is not said by a longer phenotype."""
    assert isinstance(lexicon, AnnotatingExtractor)
    shown = {one.concept_id for one in lexicon.annotate(["She has chronic cough and photosensitive epilepsy."])[0]}
    assert {"HP:0034315", "HP:0001250"} <= shown
    assert "HP:0012735" not in shown


@pytest.mark.parametrize(
    "text", ["She has conductive hearing impairment. The disorder is rare, and she is the first here.", "Gait ataxia."]
)
def test_of_one_patient_the_longest_names_alone_are_shown(lexicon: Extractor, text: str) -> None:
    """What one patient has is told once, as exactly as it is said."""
    assert isinstance(lexicon, AnnotatingExtractor)
    assert not any(one.nested for one in lexicon.annotate([text])[0])
