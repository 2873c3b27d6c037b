"""The paper's extractor, with a small pipeline trained here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaid_evals.concepts import Extractor, concept_ids, load_extractor
from exaid_evals.concepts.scispacy import Settings, surface
from exaid_evals.errors import ConfigError, MissingDependencyError

DISEASES = ("Fever", "septic shock", "anaemia", "scleroderma", "patient", "gout")
DRUGS = ("aspirin", "heparin", "IL")
FRAMES = ("{} was noted today.", "We saw {} again.", "She had {} in May.", "The boy with {} recovered.")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A named-entity recogniser that has learned a dozen words by heart."""
    import spacy
    from spacy.training import Example
    from spacy.util import fix_random_seed

    fix_random_seed(0)
    nlp: Any = spacy.blank("en")
    nlp.meta["name"] = "tiny"
    nlp.meta["version"] = "1.2.3"
    nlp.add_pipe("ner")
    examples = []
    for words, label in ((DISEASES, "DISEASE"), (DRUGS, "DRUG")):
        for word in words:
            for frame in FRAMES:
                text = frame.format(word)
                start = text.index(word)
                examples.append(
                    Example.from_dict(nlp.make_doc(text), {"entities": [(start, start + len(word), label)]})
                )
    nlp.initialize(lambda: examples)
    for _ in range(25):
        nlp.update(examples, drop=0.0)
    path = tmp_path_factory.mktemp("model") / "tiny"
    nlp.to_disk(path)
    return path


@pytest.fixture(scope="module")
def extractor(model: Path) -> Extractor:
    """The extractor on that pipeline, with one stop entity."""
    return load_extractor("scispacy", {"model": str(model)}, stop_entities=frozenset({"Patient"}))


def test_entities_become_normalised_ids_with_offsets(extractor: Extractor) -> None:
    """An entity's id is its normalised surface, its offsets those of the entity."""
    text = "She had Fever in May."
    (mentions,) = extractor.mentions([text])
    assert [(m.concept_id, text[m.start : m.end]) for m in mentions] == [("ENT:fever", "Fever")]


def test_stop_entities_and_short_entities_are_left_out(extractor: Extractor, model: Path) -> None:
    """The stop list and the minimum length remove entities that the model does find."""
    texts = ["We saw patient again.", "We saw IL again."]
    assert extractor.mentions(texts) == [(), ()]
    plain = load_extractor("scispacy", {"model": str(model), "min_entity_len": 1}, stop_entities=frozenset())
    assert [concept_ids(found) for found in plain.mentions(texts)] == [{"ENT:patient"}, {"ENT:il"}]


def test_entity_types_can_be_chosen(model: Path) -> None:
    """A list of labels keeps those; ALL keeps every one."""
    texts = ["We saw aspirin again.", "We saw gout again."]
    every = load_extractor("scispacy", {"model": str(model), "entity_types_kept": "ALL"}, stop_entities=frozenset())
    drugs = load_extractor("scispacy", {"model": str(model), "entity_types_kept": ["DRUG"]}, stop_entities=frozenset())
    assert [len(found) for found in every.mentions(texts)] == [1, 1]
    assert [len(found) for found in drugs.mentions(texts)] == [1, 0]


def test_the_id_tells_models_and_settings_apart(extractor: Extractor, model: Path) -> None:
    """The id names the model and its version; settings and stop list change its hash, a second load does not."""
    stop = frozenset({"Patient"})
    assert extractor.id.startswith("scispacy-1/en_tiny-1.2.3:")
    assert load_extractor("scispacy", {"model": str(model)}, stop_entities=stop).id == extractor.id
    others = [
        load_extractor("scispacy", {"model": str(model)}, stop_entities=frozenset()).id,
        load_extractor("scispacy", {"model": str(model), "min_entity_len": 4}, stop_entities=stop).id,
        load_extractor("scispacy", {"model": str(model), "entity_types_kept": ["DRUG"]}, stop_entities=stop).id,
    ]
    assert len({extractor.id, *others}) == 4


def test_a_missing_model_says_how_to_install_it() -> None:
    """There is no fallback: without the model the error names version and remedy."""
    with pytest.raises(MissingDependencyError, match=r"0\.5\.4.*release page"):
        load_extractor("scispacy", {"model": "en_core_sci_absent"}, stop_entities=frozenset())
    with pytest.raises(MissingDependencyError, match="to_disk"):
        load_extractor("scispacy", {"model": "/nowhere/model"}, stop_entities=frozenset())


def test_a_pipeline_without_entities_is_refused(tmp_path: Path) -> None:
    """A pipeline that finds no entities would make every coverage undefined, so it is an error."""
    import spacy

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigError, match="ner"):
        load_extractor("scispacy", {"model": str(tmp_path / "blank")}, stop_entities=frozenset())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("  Septic\n shock. ", "septic shock"), ("X‐linked", "x-linked"), ("(Crohn’s)", "crohn's"), ("—", "")],
)
def test_surfaces_are_canonical(raw: str, expected: str) -> None:
    """Lower case, single spaces, plain dashes and quotes, no marks at the ends."""
    assert surface(raw) == expected


@pytest.mark.parametrize(
    "raw", [{"model": ""}, {"model": 3}, {"entity_types_kept": []}, {"entity_types_kept": [1]}, {"min_entity_len": 0},
            {"min_entity_len": True}, {"negation": True}]
)  # fmt: skip
def test_wrong_settings_are_configuration_errors(raw: dict[str, object]) -> None:
    """A setting of the wrong name, type or value is refused before the model is loaded."""
    with pytest.raises(ConfigError):
        Settings.of(raw)
