"""Every example in a docstring of the rooms that measure gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import exaid_evals.concepts
import exaid_evals.metrics
import exaid_evals.ontologies
import exaid_evals.stats
import exaid_evals.traces.stub
from exaid_evals.artifacts import gold

ROOMS = (
    exaid_evals.stats, exaid_evals.metrics, exaid_evals.concepts, exaid_evals.ontologies, exaid_evals.traces.stub,
)  # fmt: skip
# The measures' own examples use names that their modules do not import; tests/metrics/test_measures.py runs them.
_ELSEWHERE = "exaid_evals.metrics.measures."


def modules() -> list[ModuleType]:
    """Return the modules of the rooms whose docstrings hold examples."""
    names = [info.name for room in ROOMS for info in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    found = [gold, *(importlib.import_module(name) for name in names if not name.startswith(_ELSEWHERE))]
    return [module for module in found if any(test.examples for test in doctest.DocTestFinder().find(module))]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__.removeprefix("exaid_evals."))
def test_examples_give_what_they_say(module: ModuleType) -> None:
    """No example of the module fails."""
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_are_found() -> None:
    """The search above finds what it is for: were it broken, nothing would be checked and nothing would fail."""
    assert {"exaid_evals.artifacts.gold", "exaid_evals.concepts.paraphrases", "exaid_evals.traces.stub.linking"} <= {
        module.__name__ for module in modules()
    }
