"""What docs/comparing.md shows is what its commands print, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.page import check_walk, page_text
from exaid_evals.analysis.compare import divergence_point, final_means, recommend
from exaid_evals.analysis.impact import associations, stage

PAGE = page_text("comparing.md")


@pytest.mark.slow
def test_the_walks_print_what_is_shown(tmp_path: Path) -> None:
    """Every command of the page succeeds and prints the lines below it."""
    check_walk(PAGE, tmp_path, 4)


def test_the_limits_that_are_reported_are_those_of_the_code() -> None:
    """Tables and sentences name the constants."""
    assert f"| a correlation | {associations.LEAST_RUNS} configurations" in PAGE
    assert f"| a category in the test | {associations.LEAST_CATEGORY} configurations" in PAGE
    more = f"and {stage.RUNS_PER_PARAMETER} for each parameter"
    needed = f"| importance | {stage.LEAST_RUNS} configurations, {more}"
    assert needed in PAGE
    assert f"where that is under {stage.LEAST_R2:g}" in PAGE
    assert f"| 2 to {final_means.BOOTSTRAP_FROM - 1} repetitions |" in PAGE
    assert f"{divergence_point.ALLOWANCE:.0%}".replace("%", " %") in PAGE
    assert f"are worth, at least {final_means.LEAST_INDEPENDENT};" in PAGE
    assert recommend.ENOUGH == 3
    assert "only from three repetitions" in PAGE


def test_the_table_of_divergence_points_keeps_its_promise() -> None:
    """Of pairs and of searches of one configuration at most 5 % part, in every row that the bench wrote."""
    rows = re.findall(r"^\| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+)% \|", PAGE, re.MULTILINE)
    expected = [(groups, n) for groups, sizes in ((2, (1, 2, 3, 5, 10)), (10, (1, 3, 5, 10))) for n in sizes]
    assert [(int(groups), int(n)) for groups, n, _, _ in rows] == [each for each in expected for _ in range(3)]
    assert [related for _, _, related, _ in rows] == ["0", "0.8", "0.9"] * len(expected)
    assert all(float(share) <= 5 for _, _, _, share in rows)
