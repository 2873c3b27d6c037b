"""The table over campaigns: seeds and cases are two levels, and are never pooled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exaid_evals.export import over_seeds
from exaid_evals.export.stage import consolidate
from exaid_evals.report.cells import Mean
from exaid_evals.runs.base import Run
from exaid_evals.stats.bootstrap import hierarchical_interval

SIGNATURE = "exaid-evals/0|traces:{}|cfg:1|concepts:c|llm:l|boot:2000/7|stub:no"


def campaign(name: str, coverage: dict[str, float | None]) -> Run:
    """Return a campaign of one variant whose cases have these coverages."""
    cases = {"V3": {case: {"coverage": value, "update_count": 2.0} for case, value in coverage.items()}}
    defined = [value for value in coverage.values() if value is not None]
    return Run(
        name,
        "campaign",
        {"V3.coverage": sum(defined) / len(defined)},
        attributes={"variants": ["V3"]},
        signatures={"V3": SIGNATURE.format(name)},
        stub=False,
        default_primary="V3.coverage",
        higher_is_better=frozenset({"V3.coverage"}),
        origin=Path("/runs") / name,
        cases=lambda: cases,
    )


def row_of(*runs: Run) -> tuple[Mean, tuple[str, ...]]:
    """Return the coverage of V3 over seeds, and the table's notes."""
    table = over_seeds.build(consolidate(runs))
    assert table is not None
    [index] = [number for number, column in enumerate(table.columns) if column.measure == "coverage"]
    found = table.row("V3").cells[index]
    assert isinstance(found, Mean)
    return found, table.notes


def test_the_mean_is_over_seeds_and_not_over_all_cases() -> None:
    """A seed of one case weighs as much as one of three: (0.2 + 0.8) / 2, where pooling would say 0.65."""
    estimate = row_of(campaign("a", {"case-1": 0.2}), campaign("b", {f"case-{n}": 0.8 for n in (2, 3, 4)}))[0].estimate
    assert (estimate.mean, estimate.n) == (pytest.approx(0.5), 2)


@pytest.mark.parametrize(("shared", "design"), [(True, "crossed, every seed"), (False, "nested, each seed")])
def test_the_interval_is_that_of_the_bootstrap_over_both_levels(shared: bool, design: str) -> None:
    """Same cases under every seed are crossed, other cases nested; resamples and seed are those of the signature."""
    values = [[0.1, 0.4, 0.7], [0.3, 0.5, 1.0]]
    runs = [
        campaign(f"seed-{seed}", {f"case-{n if shared else 10 * seed + n}": value for n, value in enumerate(row)})
        for seed, row in enumerate(values)
    ]
    cell, notes = row_of(*runs)
    groups = [np.rint(np.array([[value, 2.0] for value in row]) * 1e6) for row in values]
    mean, bounds = hierarchical_interval(groups, 2000, np.random.default_rng(7), crossed=shared)
    assert cell.estimate.mean == pytest.approx(mean[0] / 1e6, abs=1e-6)
    assert (cell.estimate.ci95_low, cell.estimate.ci95_high) == pytest.approx(tuple(bounds[:, 0] / 1e6), abs=1e-6)
    assert design in notes[0]
    assert f"({3 if shared else 6} distinct cases)" in notes[0]


def test_partly_shared_cases_are_said_to_be() -> None:
    """Neither design fits, and the reader is told which way the interval errs."""
    _, notes = row_of(campaign("a", {"case-1": 0.1, "case-2": 0.2}), campaign("b", {"case-2": 0.2, "case-3": 0.9}))
    assert "nested, although seeds share some cases, so that the interval may be too narrow" in notes[0]


def test_undefined_cases_are_left_out_and_one_campaign_has_no_table() -> None:
    """A case without coverage lowers no mean; a table over seeds needs two."""
    cell, _ = row_of(campaign("a", {"case-1": 0.2, "case-2": None}), campaign("b", {"case-1": 0.4, "case-2": 0.4}))
    assert cell.estimate.mean == pytest.approx(0.3)
    assert over_seeds.build(consolidate([campaign("a", {"case-1": 0.2})])) is None
