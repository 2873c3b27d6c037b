"""What docs/comparing.md shows is what its commands print, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.console import ROOT, Shell, matches, shown_in
from exaid_evals.analysis.compare import levels, parting, recommend
from exaid_evals.analysis.impact import categories, correlations, importance

PAGE = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_walks_print_what_is_shown(tmp_path: Path) -> None:
    """Every command of the page succeeds and prints the lines below it."""
    shell = Shell(tmp_path)
    commands = shown_in(PAGE)
    assert len(commands) == 4
    for shown in commands:
        actual = shell.run(shown.command)
        assert matches(shown.output, actual), f"`{shown.command}` now prints\n" + "\n".join(actual)


def test_the_limits_that_are_told_are_those_of_the_code() -> None:
    """Tables and sentences name the constants."""
    assert f"| a correlation | {correlations.LEAST_RUNS} configurations" in PAGE
    assert f"| a category in the test | {categories.LEAST_RUNS} configurations" in PAGE
    more = f"and {importance.RUNS_PER_PARAMETER} for each parameter"
    needed = f"| importance | {importance.LEAST_RUNS} configurations, {more}"
    assert needed in PAGE
    assert f"where that is under {importance.LEAST_R2:g}" in PAGE
    assert f"| 2 to {levels.BOOTSTRAP_FROM - 1} repetitions |" in PAGE
    assert f"{parting.ALLOWANCE:.0%}".replace("%", " %") in PAGE
    assert f"are worth, at least {levels.LEAST_INDEPENDENT};" in PAGE
    assert recommend.ENOUGH == 3
    assert "only from three repetitions" in PAGE


def test_the_table_of_partings_keeps_its_promise() -> None:
    """Of pairs of one configuration at most 5 % part, in every row of the table that the bench wrote."""
    rows = re.findall(r"^\| (\d+) \| [\d.]+ \| ([\d.]+)% \|", PAGE, re.MULTILINE)
    assert [int(n) for n, _ in rows] == [1, 1, 2, 2, 3, 3, 5, 5, 10, 10]
    assert all(float(share) <= 5 for _, share in rows)
