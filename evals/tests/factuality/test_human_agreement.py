"""The page about agreement with people: made here of made-up data, and measured where the real ones are."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from exaid_evals.factuality.reference import Comparison
from scripts import script_module

FACTS = ("Fever for 3 days", "No cough", "Aspirin 81 mg daily", "Left knee pain", "Mother has asthma")
LIE = "Lisinopril 20 mg daily"


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """The script that makes docs/human_agreement.md, as a module, with few resamples."""
    module = script_module("evals/bench/human_agreement.py")
    module.RESAMPLES = 100
    return module


def made_up_pairs() -> list[dict[str, Any]]:
    """Summaries with known shares of the facts, every third with an invented one; made up."""
    pairs = []
    for number in range(24):
        wanted = FACTS[: 2 + number % 4]
        kept = wanted[: 1 + number % len(wanted)]
        invented = [LIE] if number % 3 == 0 else []
        reported = {
            "FactualRecall": len(kept) / len(wanted),
            "FactualPrecision": len(kept) / (len(kept) + len(invented)),
            "HallucinationRate": len(invented) / (len(kept) + len(invented)),
        }
        reference = ". ".join(wanted) + "."
        dialogue = f"Doctor: I note the following of case {number}. {reference}\nPatient: Right.\nDoctor: Good."
        summary = ". ".join([*kept, *invented]) + "."
        pairs.append({"dialogue": dialogue, "reference": reference, "summary": summary, "human": reported})
    return pairs


def test_made_up_scores_are_found_again(script: ModuleType, comparison: Comparison) -> None:
    """Where the truth is known, recall and invention rank summaries as it does."""
    pairs = made_up_pairs()
    measured = script.measured_pairs(pairs, comparison)
    clusters = [str(number) for number in range(len(pairs))]
    for name, human in (("content_recall", "FactualRecall"), ("not_found", "HallucinationRate")):
        found = script.agreement(measured, name, [pair["human"][human] for pair in pairs], clusters)
        assert found.n == len(pairs)
        assert found.value > 0.85, name


@pytest.mark.slow
def test_the_page_is_made_of_made_up_data(script: ModuleType) -> None:
    """The whole page, of pairs and of three systems of falling quality; a better system has the higher F1."""
    note = ". ".join(FACTS) + "."
    systems = {"all": note, "half": ". ".join(FACTS[:3]) + ".", "none": "Nothing."}
    encounters = [{"note": note, "systems": systems}] * 3
    text = script.page(made_up_pairs()[:8], encounters, {"all": 90.0, "half": 50.0, "none": 1.0})
    assert "8 summaries of 4 dialogues" in text
    assert "| `term_f1` | 0.9" in text or "| `term_f1` | 1.0" in text
    assert "nan" not in text


@pytest.mark.slow
def test_measures_agree_with_people(script: ModuleType, comparison: Comparison) -> None:
    """On the people's scores at hand: factual recall, defined for nearly all pairs, and published MEDCON."""
    if not script.DATA.is_dir():
        pytest.skip(f"{script.DATA} is absent")
    pairs = script.records(script.DATA / "mts_dev.jsonl")
    measured = script.measured_pairs(pairs, comparison)
    clusters = [pair["reference"] for pair in pairs]
    recall = script.agreement(measured, "content_recall", [pair["human"]["FactualRecall"] for pair in pairs], clusters)
    invented = script.agreement(measured, "not_found", [pair["human"]["HallucinationRate"] for pair in pairs], clusters)
    assert (recall.value >= 0.80, recall.n >= 0.95 * len(pairs)) == (True, True)
    assert (invented.value >= 0.35, invented.n >= 0.95 * len(pairs)) == (True, True)
    published = json.loads((script.DATA / "aci_medcon_published.json").read_text("utf-8"))
    f1 = script.of_systems(script.records(script.DATA / "aci_test1.jsonl"), comparison)["term_f1"]
    medcon = [published[name] for name in sorted(published)]
    assert script.systems_agreement(f1, script.np.array(medcon), ranks=False).value >= 0.95
