"""Synthetic cases for clones without MAC's data: rare diseases of Orphanet, described by their phenotypes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.cases.base import SCHEMA, Case, CaseFile, SourceContext, to_record
from exaid_evals.cases.phenotypes import (
    Place,
    is_adult,
    is_child,
    is_concrete,
    is_young,
    occurs_in,
    organ_system,
    place_of,
    sex_of,
    spoken,
)
from exaid_evals.config.mas_generation import SelectionMode
from exaid_evals.ontologies.base import Disease, Term
from exaid_evals.ontologies.hpo import REQUIREMENT, rare_diseases

# What a report denies when the disease does not have it: how it is named → what a phenotype that has it contains.
_DENIABLE = {
    "fever": "ever",
    "seizures": "eizure",
    "weight loss": "eight loss",
    "a skin rash": "rash",
    "hearing impairment": "earing",
    "vomiting": "omit",
    "joint swelling": "rthr",
    "chest pain": "hest",
    "jaundice": "aundice",
    "headache": "eadache",
    "diarrhea": "iarrhea",
    "dyspnea": "yspn",
    "syncope": "yncope",
}
_DENIABLE_SIGNS = {
    "hepatosplenomegaly": "megaly",
    "lymphadenopathy": "ymphaden",
    "a heart murmur": "eart",
    "edema": "dema",
    "cyanosis": "yanosis",
    "nystagmus": "ystagmus",
    "scoliosis": "oliosis",
}
_NORMAL_TESTS = {
    "Serum electrolytes": ("natremia", "kalemia", "calcemia", "phosph"),
    "The complete blood count": ("penia", "nemia", "cyt", "count", "phil"),
    "Liver enzymes": ("ransaminase", "epat", "ili"),
    "Renal function": ("enal", "ephr", "idney"),
    "Thyroid function": ("hyro",),
    "C-reactive protein": ("reactive", "nflamm"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who the patient is.

    Attributes:
        sex: `female` or `male`.
        age: as it stands before a noun: `7-year-old`, `5-month-old`.
        years: age in whole years.
    """

    sex: str
    age: str
    years: int

    @property
    def noun(self) -> str:
        """`girl`, `boy`, `woman` or `man`."""
        young = self.years < 18
        return ("girl" if young else "woman") if self.sex == "female" else ("boy" if young else "man")

    @property
    def they(self) -> str:
        """`she` or `he`."""
        return "she" if self.sex == "female" else "he"

    @property
    def their(self) -> str:
        """`her` or `his`."""
        return "her" if self.sex == "female" else "his"


def draw_person(disease: str, phenotypes: Sequence[Term], rng: random.Random) -> Person:
    """Draw age and sex that contradict neither the disease nor its phenotypes."""
    names = [term.name for term in phenotypes]
    sex = sex_of(names) or rng.choice(("female", "male"))
    if is_young(disease, names) and not is_adult(names):
        months = rng.randint(2, 22)
        return Person(sex, f"{months}-month-old", months // 12)
    years = rng.randint(3, 15) if is_child(names) and not is_adult(names) else rng.randint(19, 68)
    return Person(sex, f"{years}-year-old", years)


def write_initial(phenotypes: Sequence[Term], person: Person, rng: random.Random) -> dict[str, str]:
    """Return the sections before the decisive tests."""
    names = [term.name for term in phenotypes]
    at = {place: [spoken(term) for term in phenotypes if place_of(term) is place] for place in Place}
    return {
        "Basic Information": _basic(person, rng),
        "Clinical Presentation": _presentation(at, person, names, rng),
        "Physical Examination": _examination(at, person, names, rng),
        "Past Medical History": _history(at, person, rng),
        "Initial Test Results": _tests(at, names, rng),
    }


def write_further_tests(phenotypes: Sequence[Term], diagnosis: str, person: Person, rng: random.Random) -> str:
    """Return the section of later tests, which leads to the diagnosis without naming it."""
    special = [spoken(term) for term in phenotypes if place_of(term) is Place.SPECIAL]
    imaging = [spoken(term) for term in phenotypes if place_of(term) is Place.IMAGING]
    sentences = []
    if special:
        sentences.append(f"Specialized studies demonstrated {listed(special)}.")
    if len(imaging) > 1:
        sentences.append(f"Repeat imaging confirmed {listed(imaging[:3])}.")
    sentences.append(
        rng.choice(
            (
                "Metabolic screening of plasma and urine was unremarkable apart from the findings above.",
                "Chromosomal microarray showed no pathogenic copy number variant.",
                f"A karyotype matched {person.their} phenotypic sex.",
            )
        )
    )
    if rng.random() < 0.7:
        zygosity = rng.choice(("a heterozygous", "a homozygous", "compound heterozygous"))
        noun = "variants" if zygosity.startswith("compound") else "variant"
        sentences.append(
            f"Exome sequencing found {zygosity} likely pathogenic {noun} in a gene known in this group of disorders, "
            "confirmed by Sanger sequencing."
        )
    else:
        sentences.append(f"Taken together, the results narrowed the search for the cause of {person.their} illness.")
    return " ".join(sentence for sentence in sentences if diagnosis.lower() not in sentence.lower())


def listed(items: Sequence[str]) -> str:
    """Join phrases as prose does.

    >>> listed(["fever"]), listed(["fever", "rash", "pain"])
    ('fever', 'fever, rash, and pain')
    """
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def _basic(person: Person, rng: random.Random) -> str:
    family = rng.choice(
        (
            "to non-consanguineous parents",
            "to healthy first-cousin parents",
            "as the second of three children",
            "as the first child of healthy parents",
        )
    )
    weight = f" with a birth weight of {rng.randint(21, 39) * 100} g" if person.years < 18 else ""
    term = "at term" if rng.random() < 0.75 else f"at {rng.randint(32, 36)} weeks of gestation"
    return f"The patient is a {person.age} {person.noun}, born {term} {family}{weight}."


def _presentation(at: dict[Place, list[str]], person: Person, names: list[str], rng: random.Random) -> str:
    They, their = person.they.capitalize(), person.their  # noqa: N806 - the word at the head of a sentence
    complaints = at[Place.SYMPTOM]
    duration = rng.choice(("two weeks", "three months", "six months", "over a year", "several years"))
    sentences = []
    if complaints:
        first, rest = complaints[:3], complaints[3:]
        opening = rng.choice(
            (
                f"The patient was referred because of {listed(first)} for {duration}.",
                f"{They} presented with a history of {duration} of {listed(first)}.",
                f"{They} was admitted for evaluation of {listed(first)}.",
            )
        )
        sentences.append(opening)
        if rest:
            sentences.append(
                rng.choice(("Over time", "In the following months", "Later"))
                + f" {person.they} developed {listed(rest)}."
            )
    else:
        sentences.append(
            f"The patient was referred for evaluation after {their} family noticed a change in {their} condition."
        )
    if at[Place.DEVELOPMENT]:
        sentences.append(f"{They} had {listed(at[Place.DEVELOPMENT])}.")
    denied = _denied(_DENIABLE, names, rng, 2)
    if denied:
        sentences.append(f"There was no history of {' or '.join(denied)}.")
    return " ".join(sentences)


def _examination(at: dict[Place, list[str]], person: Person, names: list[str], rng: random.Random) -> str:
    found = at[Place.EXAMINATION]
    sentences = [
        f"Body temperature was {36 + rng.randint(2, 9) / 10:.1f} °C, heart rate {rng.randint(68, 128)} "
        f"beats per minute, and oxygen saturation {rng.randint(95, 99)}% in room air."
    ]
    for start in range(0, len(found), 5):
        group = found[start : start + 5]
        verb = ("showed", "further revealed", "was also remarkable for")[min(start // 5, 2)]
        sentences.append(f"{'Physical examination' if start == 0 else 'It'} {verb} {listed(group)}.")
    if not found:
        sentences.append(f"Physical examination of the {person.noun} was otherwise unremarkable.")
    denied = _denied(_DENIABLE_SIGNS, names, rng, 2)
    if denied:
        sentences.append(f"There was no {' and no '.join(sign.removeprefix('a ') for sign in denied)}.")
    return " ".join(sentences)


def _history(at: dict[Place, list[str]], person: Person, rng: random.Random) -> str:
    sentences = []
    if at[Place.HISTORY]:
        sentences.append(f"Past history included {listed(at[Place.HISTORY])}.")
    else:
        sentences.append(f"{person.their.capitalize()} past medical history was unremarkable.")
    sentences.append(
        rng.choice(
            (
                "The family history was unremarkable.",
                "A sibling was reported to have similar complaints.",
                f"{person.their.capitalize()} mother had two earlier miscarriages.",
                "No relative was known to have a genetic disorder.",
                f"{person.they.capitalize()} took no regular medication, and immunizations were up to date.",
            )
        )
    )
    return " ".join(sentences)


def _tests(at: dict[Place, list[str]], names: list[str], rng: random.Random) -> str:
    sentences = []
    if at[Place.LABORATORY]:
        sentences.append(f"Laboratory tests revealed {listed(at[Place.LABORATORY])}.")
    normal = [
        test for test, parts in _NORMAL_TESTS.items() if not any(part in name for name in names for part in parts)
    ]
    if normal:
        some = rng.sample(normal, min(2, len(normal)))
        subject = listed(
            [some[0], *(test[0].lower() + test[1:] if not test.startswith("C-") else test for test in some[1:])]
        )
        singular = len(some) == 1 and not some[0].endswith("s")
        sentences.append(f"{subject} {'was' if singular else 'were'} within the normal range.")
    if at[Place.IMAGING]:
        sentences.append(f"Imaging demonstrated {listed(at[Place.IMAGING])}.")
    return " ".join(sentences) or "Routine laboratory tests and a chest radiograph were unremarkable."


def _denied(pool: dict[str, str], names: list[str], rng: random.Random, most: int) -> list[str]:
    absent = [phrase for phrase, part in pool.items() if not any(part in name for name in names)]
    return rng.sample(absent, min(rng.randint(1, most), len(absent)))


SOURCE = "synthetic"
N_CASES = 302
FILE_NAME = "synthetic.jsonl"
_LEDGER = "synthetic-cases.jsonl"
_MIN_CONCRETE = 9
_MAX_PHENOTYPES = 20
# A phenotype that so few rare diseases share is more often a label than a finding that a report names.
_MIN_DISEASES = 12


def load(context: SourceContext) -> Sequence[Case]:
    """Return the synthetic cases, from `data/cases/synthetic.jsonl` where that file is current.

    There are 302, and more where a larger subset is to be selected.

    Raises:
        MissingDependencyError: the ontology is not installed.
    """
    path, seed = context.campaign.cases / FILE_NAME, context.config.synthetic_seed
    n = N_CASES if context.config.mode is SelectionMode.ALL else max(N_CASES, context.config.n_cases)
    more = {"n": n} if n > N_CASES else {}
    inputs = fingerprint(seed=seed, ontology=REQUIREMENT, schema=SCHEMA, **more)
    with Ledger(context.campaign.state / _LEDGER, read_only=not context.may_write) as ledger:
        if ledger.is_current(FILE_NAME, inputs, path):
            return CaseFile(path)
        if not context.may_write:
            return make_cases(seed, n)
        write_jsonl(path, _checked(map(to_record, iterate_cases(seed, n)), path))
        ledger.record(FILE_NAME, inputs, path)
    return CaseFile(path)


def _checked(records: Iterable[dict[str, Any]], path: Path) -> Iterator[dict[str, Any]]:
    for number, record in enumerate(records, start=1):
        require_valid(record, f"{path}:{number}", SCHEMA)
        yield record


def make_cases(seed: int, n: int = N_CASES) -> tuple[Case, ...]:
    """Make synthetic cases, the same on every machine.

    Args:
        seed: of the choice of diseases and of every text.
        n: how many. The first ones are the same, however many they are.
    """
    return tuple(iterate_cases(seed, n))


def iterate_cases(seed: int, n: int) -> Iterator[Case]:
    """Yield what `make_cases` returns. Where diseases are used up, each has another patient, and then another."""
    suited: list[tuple[Disease, list[Term]]] = []
    number = 0
    for round_ in count():
        for disease, telling in islice(_suited(seed, suited) if round_ == 0 else iter(suited), n - number):
            number += 1
            yield _case(number, disease, telling, f"{seed}:{disease.id}" + (f":{round_}" if round_ else ""))
        if number >= n:
            return


def _suited(seed: int, kept: list[tuple[Disease, list[Term]]]) -> Iterator[tuple[Disease, list[Term]]]:
    """Yield the diseases that a case can be made of with the terms that are typical of each, and keep them."""
    diseases = [disease for disease in rare_diseases(min_phenotypes=_MIN_CONCRETE) if disease.id.startswith("ORPHA:")]
    frequency = Counter(term.id for disease in diseases for term in disease.phenotypes)
    for disease in random.Random(seed).sample(diseases, len(diseases)):  # noqa: S311 - no secret
        telling = [
            term
            for term in disease.phenotypes
            if frequency[term.id] >= _MIN_DISEASES and is_concrete(term) and not _gives_away(term, disease)
        ]
        if len(telling) >= _MIN_CONCRETE:
            kept.append((disease, telling))
            yield disease, telling


def _gives_away(term: Term, disease: Disease) -> bool:
    """Return whether the phenotype is the disease by another name: some are named after what they show."""
    return term.name.casefold() in disease.name.casefold() or disease.name.casefold() in term.name.casefold()


def _case(number: int, disease: Disease, telling: list[Term], seed: str) -> Case:
    # Seeded by the disease, so that a case stays what it is when others join or leave.
    rng = random.Random(seed)  # noqa: S311 - no secret
    phenotypes = rng.sample(telling, min(len(telling), rng.randint(_MIN_CONCRETE, _MAX_PHENOTYPES)))
    person = draw_person(disease.name, phenotypes, rng)
    phenotypes = [term for term in phenotypes if occurs_in(term, person.sex)]
    initial = write_initial(phenotypes, person, rng)
    further = write_further_tests(phenotypes, disease.name, person, rng)
    return Case(
        case_id=f"case-syn{number:04d}",
        source=SOURCE,
        category=organ_system([term.name for term in disease.phenotypes]),
        diagnosis=disease.name,
        initial_presentation=initial,
        follow_up_presentation={**initial, "Further Diagnostic Tests": further},
        diagnosis_id=disease.id,
    )
