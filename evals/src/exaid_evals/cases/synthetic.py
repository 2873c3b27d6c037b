"""Synthetic cases for clones without MAC's data: rare diseases of Orphanet, told through their phenotypes."""

from __future__ import annotations

import random
from collections import Counter

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.cases.base import SCHEMA, Case, SourceContext, from_record, to_record
from exaid_evals.cases.phenotypes import is_concrete, occurs_in, organ_system
from exaid_evals.cases.vignette import draw_person, write_further_tests, write_initial
from exaid_evals.ontologies.base import Disease, Term
from exaid_evals.ontologies.hpo import REQUIREMENT, rare_diseases

SOURCE = "synthetic"
N_CASES = 302
FILE_NAME = "synthetic.jsonl"
_LEDGER = "synthetic-cases.jsonl"
_MIN_CONCRETE = 9
_MAX_PHENOTYPES = 20
# A phenotype that so few rare diseases share is more often a label than a finding that a report names.
_MIN_DISEASES = 12


def load(context: SourceContext) -> tuple[Case, ...]:
    """Return the synthetic cases, from `data/cases/synthetic.jsonl` where that file is current.

    Raises:
        MissingDependencyError: the ontology is not installed.
    """
    path = context.campaign.cases / FILE_NAME
    inputs = fingerprint(seed=context.config.synthetic_seed, ontology=REQUIREMENT, schema=SCHEMA)
    with Ledger(context.campaign.state / _LEDGER) as ledger:
        if ledger.is_current(FILE_NAME, inputs, path):
            return tuple(from_record(record) for record in read_jsonl(path))
        cases = make_cases(context.config.synthetic_seed)
        if context.may_write:
            records = [to_record(case) for case in cases]
            for number, record in enumerate(records, start=1):
                require_valid(record, f"{path}:{number}")
            write_jsonl(path, records)
            ledger.record(FILE_NAME, inputs, path)
    return cases


def make_cases(seed: int, n: int = N_CASES) -> tuple[Case, ...]:
    """Make synthetic cases, the same on every machine.

    Args:
        seed: of the choice of diseases and of every text.
        n: how many.
    """
    diseases = [disease for disease in rare_diseases(min_phenotypes=_MIN_CONCRETE) if disease.id.startswith("ORPHA:")]
    frequency = Counter(term.id for disease in diseases for term in disease.phenotypes)
    cases: list[Case] = []
    for disease in random.Random(seed).sample(diseases, len(diseases)):  # noqa: S311 - no secret
        telling = [
            term
            for term in disease.phenotypes
            if frequency[term.id] >= _MIN_DISEASES and is_concrete(term) and not _gives_away(term, disease)
        ]
        if len(telling) >= _MIN_CONCRETE:
            cases.append(_case(len(cases) + 1, disease, telling, seed))
        if len(cases) == n:
            break
    return tuple(cases)


def _gives_away(term: Term, disease: Disease) -> bool:
    """Tell whether the phenotype is the disease by another name: some are named after what they show."""
    return term.name.casefold() in disease.name.casefold() or disease.name.casefold() in term.name.casefold()


def _case(number: int, disease: Disease, telling: list[Term], seed: int) -> Case:
    # Seeded by the disease, so that a case stays what it is when others join or leave.
    rng = random.Random(f"{seed}:{disease.id}")  # noqa: S311 - no secret
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
