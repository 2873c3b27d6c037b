"""A source of a few small cases (`--source small_cases:load`), which needs neither MAC nor an ontology."""

from __future__ import annotations

from exaid_evals.cases.base import Case, SourceContext

_INITIAL = {
    "Basic Information": "The patient is a {age}-year-old girl, born at term.",
    "Clinical Presentation": (
        "The patient presented with fever, recurrent seizures and progressive muscle weakness for {age} weeks. "
        "There was no history of weight loss. She later developed hepatosplenomegaly and a ventricular septal defect."
    ),
    "Physical Examination": "Physical examination revealed low-set ears, micrognathia, and hepatic cysts.",
    "Past Medical History": "Her family history was unremarkable. She had a history of recurrent infections.",
    "Initial Test Results": "Laboratory tests showed thrombocytopenia and a CRP of {age}.5 mg/L.",
}


def load(_context: SourceContext | None = None) -> tuple[Case, ...]:
    """Return twelve cases of two categories."""
    return tuple(
        Case(
            case_id=f"case-t{number:02d}",
            source="",
            category=("neurological", "renal")[number % 2],
            diagnosis=f"Syndrome {chr(65 + number)}",
            initial_presentation={name: text.format(age=number + 2) for name, text in _INITIAL.items()},
            follow_up_presentation={"Further Diagnostic Tests": "Exome sequencing was performed."},
        )
        for number in range(12)
    )
