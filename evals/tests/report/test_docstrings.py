"""Examples in the docstrings of the report."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import exaid_evals.report

MODULES = [module.name for module in pkgutil.walk_packages(exaid_evals.report.__path__, "exaid_evals.report.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    """Each example gives what its docstring says."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """The modules are found, and so are their examples."""
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 12
