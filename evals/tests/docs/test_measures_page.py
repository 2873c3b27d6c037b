"""docs/measures.md is what the docstrings say."""

from __future__ import annotations

from docs.measures import COMMAND, TARGET, render
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.registry import load_measures
from exaid_evals.provenance.lineage import comparison_fields, definition_of


def test_the_page_is_current() -> None:
    """A changed docstring without the page, or the page edited by hand, is an error that names the command."""
    assert TARGET.read_text(encoding="utf-8") == render(), f"run `{COMMAND}`"


def test_every_measure_is_on_the_page_with_formula_example_and_edge_cases() -> None:
    """No measure of the default configuration is left out, and none is without an example."""
    page = render()
    for measure in load_measures(MetricsConfig()):
        assert f"`{measure.name}`" in page
        definition = definition_of(measure.definition)
        assert definition.formula
        assert definition.example or definition.code, f"{measure.name} has no example in its docstring"
    for field in comparison_fields():
        assert f"| `{field}` |" in page


def test_a_docstring_is_taken_apart() -> None:
    """Formula, remark, edge cases, the words of the example, and its code."""
    definition = definition_of(
        """a / b: the share.

        A remark
        of two lines.

        Edge cases: undefined
        where b is 0.

        One of two.

        >>> share(1, 2)
        0.5
        """
    )
    assert definition.formula == "a / b: the share."
    assert definition.remarks == ("A remark of two lines.",)
    assert definition.edge_cases == "undefined where b is 0."
    assert definition.example == "One of two."
    assert definition.code == ">>> share(1, 2)\n0.5"


def test_words_behind_a_doctest_are_remarks() -> None:
    """Nothing of a docstring is lost, wherever it stands."""
    definition = definition_of("f.\n\n>>> f()\n1\n\nMore.")
    assert (definition.formula, definition.remarks, definition.code) == ("f.", ("More.",), ">>> f()\n1")
