"""Every example in a docstring of the package is run, and gives what it says; run_eval's with PyTorch, over there."""

from __future__ import annotations

from typing import Any

import pytest

from docstrings import check_examples, modules_with_examples
from exaid_evals.artifacts.gold import MentionKind
from exaid_evals.concepts.base import Mention
from exaid_evals.metrics.observation import Decision, Flush, Observation, Update
from oracles.labelled import labelled

MODULES = [name for name in modules_with_examples() if not name.startswith("exaid_evals.run_eval.")]
# Measures explain themselves to readers of docs/measures.md, with names that their modules need not import.
_NAMES_OF_MEASURES: dict[str, Any] = {
    part.__name__: part for part in (Observation, Update, Flush, Decision, Mention, MentionKind, labelled)
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    """No example of the module fails, and none stands where doctest does not look."""
    check_examples(name, _NAMES_OF_MEASURES if name.startswith("exaid_evals.metrics.measures.") else {})


def test_examples_are_found() -> None:
    """The search finds what it is for: were it broken, nothing would be checked and nothing would fail."""
    assert {"exaid_evals.artifacts.gold", "exaid_evals.metrics.measures.redundancy"} <= set(MODULES)
    assert sum(modules_with_examples().values()) > 200
