"""The examples in the docstrings of what needs PyTorch."""

from __future__ import annotations

import pytest

from docstrings import check_examples, modules_with_examples

pytest.importorskip("torch")

MODULES = [name for name in modules_with_examples() if name.startswith("exaid_evals.run_eval.")]


def test_there_are_examples() -> None:
    """The search finds them: were it broken, nothing would be checked."""
    assert "exaid_evals.run_eval.ranking" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name: str) -> None:
    """No example of the module fails."""
    check_examples(name, {})
