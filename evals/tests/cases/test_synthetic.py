"""Synthetic cases: plausible, valid, and the same everywhere."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.artifacts.schemas import violations
from exaid_evals.cases import synthetic
from exaid_evals.cases.base import SECTIONS, SourceContext, to_record
from exaid_evals.cases.phenotypes import Place, place_of, spoken
from exaid_evals.cases.synthetic import Person, write_initial
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig
from exaid_evals.ontologies.base import Term

PROGRAM = """
import hashlib
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.cases.base import to_record
from exaid_evals.cases.synthetic import make_cases
print(hashlib.sha256(b"".join(canonical_bytes(to_record(case)) for case in make_cases(7))).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_make_the_same_cases() -> None:
    """Neither hash seed nor locale nor time zone reaches a case."""

    def digest(**settings: str) -> str:
        command = [sys.executable, "-c", PROGRAM]
        return subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
        ).stdout

    one = digest(PYTHONHASHSEED="1", LC_ALL="C", TZ="UTC")
    assert one == digest(PYTHONHASHSEED="2", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")


def test_cases_are_valid_and_complete() -> None:
    """302 cases of the schema, with MAC's sections, different diagnoses, and a diagnosis id."""
    cases = synthetic.make_cases(42)
    assert len({case.case_id for case in cases}) == len({case.diagnosis for case in cases}) == 302
    for case in cases:
        assert list(violations(to_record(case))) == []
        assert tuple(case.initial_presentation) == SECTIONS[:-1]
        assert tuple(case.follow_up_presentation) == SECTIONS
        assert (case.diagnosis_id or "").startswith("ORPHA:")
        assert all(text.endswith(".") for text in case.follow_up_presentation.values())
        assert case.diagnosis.lower() not in " ".join(case.initial_presentation.values()).lower()


def test_seed_changes_the_cases() -> None:
    """Another seed gives other cases."""
    assert synthetic.make_cases(1, 5) != synthetic.make_cases(2, 5)


def test_file_is_written_once_and_read_again(tmp_path: Path) -> None:
    """The second call reads the file; a damaged file is made again; a dry run writes nothing."""
    campaign = Campaign(tmp_path)
    dry = SourceContext(DatasetConfig(), campaign, None, may_write=False)
    first = tuple(synthetic.load(dry))
    assert not campaign.cases.exists()
    context = SourceContext(DatasetConfig(), campaign, None)
    assert tuple(synthetic.load(context)) == first
    path = campaign.cases / synthetic.FILE_NAME
    written = path.read_bytes()
    assert tuple(synthetic.load(context)) == first
    path.write_bytes(b"{}\n")
    assert tuple(synthetic.load(context)) == first
    assert path.read_bytes() == written


def test_phenotypes_go_where_a_report_has_them() -> None:
    """Laboratory, imaging, symptoms and signs stand in their own sections."""
    placed = {
        "Thrombocytopenia": Place.LABORATORY,
        "Elevated circulating creatine kinase concentration": Place.LABORATORY,
        "Ventricular septal defect": Place.IMAGING,
        "Seizure": Place.SYMPTOM,
        "Global developmental delay": Place.DEVELOPMENT,
        "Polyhydramnios": Place.HISTORY,
        "Low-set ears": Place.EXAMINATION,
        "Microcephaly": Place.EXAMINATION,
    }
    assert {name: place_of(Term("HP:1", name)) for name in placed} == placed


def test_report_denies_nothing_that_the_patient_has() -> None:
    """A finding of the disease is never among those that the report says are absent."""

    def denied(*findings: str) -> set[str]:
        """Return which of three denials stand in 200 reports of a patient with these findings."""
        terms = [Term(f"HP:{number}", name) for number, name in enumerate(findings)]
        reported = [
            " ".join(write_initial(terms, Person("female", "7-year-old", 7), random.Random(seed)).values())  # noqa: S311
            for seed in range(200)
        ]
        denials = {"no history of fever", "or fever", "no scoliosis"}
        return {denial for denial in denials if any(denial in text for text in reported)}

    assert denied("Seizure") == {"no history of fever", "or fever", "no scoliosis"}
    assert denied("Seizure", "Fever", "Scoliosis") == set()


def test_names_read_as_prose() -> None:
    """Ontology labels lose their capitals, acronyms keep them."""
    assert spoken(Term("HP:1", "Low-set ears")) == "low-set ears"
    assert spoken(Term("HP:1", "EEG abnormality")) == "EEG abnormality"
    assert spoken(Term("HP:1", "Weakness, proximal")) == "proximal weakness"


def test_patients_have_findings_of_their_sex_and_age() -> None:
    """No boy has amenorrhea, no woman undescended testes, no child is infertile."""
    having: dict[str, set[str]] = {"amenorrhea": set(), "cryptorchidism": set(), "infertility": set()}
    for case in synthetic.make_cases(42):
        text = " ".join(case.initial_presentation.values()).lower()
        words = case.initial_presentation["Basic Information"].split(",")[0].split()
        (person,) = {"man", "woman", "boy", "girl"}.intersection(words)
        for finding in having:
            if finding in text:
                having[finding].add(person)
    assert set() < having["amenorrhea"] <= {"woman", "girl"}
    assert set() < having["cryptorchidism"] <= {"man", "boy"}
    assert set() < having["infertility"] <= {"man", "woman"}


@pytest.mark.slow
def test_more_cases_leave_the_first_ones_as_they_are() -> None:
    """However many there are, a case with an id says the same; one disease's second patient is another."""
    few, many = synthetic.make_cases(42, 30), synthetic.make_cases(42, 4000)
    assert many[:30] == few
    assert len({case.case_id for case in many}) == 4000
    by_disease: dict[str, list[str]] = {}
    for case in many:
        by_disease.setdefault(case.diagnosis, []).append(str(case.follow_up_presentation))
    again = [texts for texts in by_disease.values() if len(texts) > 1]
    assert again
    assert all(len(set(texts)) == len(texts) for texts in again)


def test_as_many_cases_are_made_as_are_to_be_selected(tmp_path: Path) -> None:
    """And they are read one by one, from a file that stands after a second call as it did."""
    context = SourceContext(DatasetConfig(source="synthetic", n_cases=310), Campaign(tmp_path), None)
    cases = synthetic.load(context)
    written = (tmp_path / "cases/synthetic.jsonl").read_bytes()
    assert [case.case_id for case in cases[300:302]] == ["case-syn0301", "case-syn0302"]
    assert len(cases) == len(synthetic.load(context)) == 310
    assert tuple(cases[:5]) == synthetic.make_cases(42, 5)
    assert (tmp_path / "cases/synthetic.jsonl").read_bytes() == written
