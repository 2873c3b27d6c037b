"""Tables and figures are made when what they were made from has changed, and only then."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import (
    OK,
    SKIPPED_FAILED_TRACE,
    CaseMetrics,
    VariantMetrics,
    case_line,
    write_comparisons,
    write_metrics,
)
from exaid_evals.report.registry import FORMATS, TABLES
from exaid_evals.report.results import measured_variants, read_results
from exaid_evals.report.stage import Report, write_report
from gold.examples import RESULTS, VARIANTS
from stub_campaigns import copy_of

NAMES = ["V0", "V3", "V10_b"]


def metrics_alone(root: Path) -> Campaign:
    """Return a campaign of metrics alone."""
    campaign = Campaign(root)
    write(campaign, VARIANTS)
    write_comparisons(campaign.comparisons_file, [dataclasses.replace(one) for one in RESULTS.comparisons])
    return campaign


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Campaign, Report]:
    """Return such a campaign with its report, only to be read, and what making it told."""
    campaign = metrics_alone(tmp_path_factory.mktemp("report") / "data")
    return campaign, report(campaign)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Return a campaign of metrics alone."""
    return metrics_alone(tmp_path / "data")


@pytest.fixture
def reported(made: tuple[Campaign, Report], tmp_path: Path) -> Campaign:
    """Return a copy of one with its report."""
    return copy_of(made[0], tmp_path / "data")


def write(campaign: Campaign, variants: Sequence[VariantMetrics]) -> None:
    """Write metrics files."""
    for one in variants:
        statuses = [SKIPPED_FAILED_TRACE] * one.n_failed + [OK] * (one.n_cases - one.n_failed)
        cases = [CaseMetrics(f"case-{number}", one.variant_id, status) for number, status in enumerate(statuses)]
        lines = [case_line(case, stub=one.stub, signature=one.signature) for case in cases]
        write_metrics(campaign.metrics_file(one.variant_id), one, lines)


def report(campaign: Campaign, names: Sequence[str] = NAMES) -> Report:
    """Bring the report up to date."""
    return write_report(campaign, names, primary="V3")


def test_each_table_in_each_form(made: tuple[Campaign, Report]) -> None:
    """Every table of the registry, and every figure but the timeline, which has no run logs here."""
    campaign, messages = made
    assert {path.name for path in campaign.tables.iterdir()} == {
        f"{name}.{form}" for name in TABLES for form in FORMATS
    }
    assert messages.left_out == {"timeline": "no case with a conversation has been measured under every variant"}
    assert set(messages.written) == set(messages.files) == {*campaign.tables.iterdir(), *campaign.figures.iterdir()}


def test_comparisons_that_are_gone_take_their_table_with_them(reported: Campaign) -> None:
    """A table that the data no longer give is removed, and the reason is said."""
    reported.comparisons_file.unlink()
    assert "comparisons" in report(reported).left_out
    assert not list(reported.tables.glob("comparisons.*"))


@pytest.mark.slow
def test_changed_comparisons_make_everything_anew(reported: Campaign) -> None:
    """Nothing to do the second time; other comparisons make files stale."""
    assert report(reported).written == ()
    changed = dataclasses.replace(RESULTS.comparisons[0], mean_difference=0.5)
    write_comparisons(reported.comparisons_file, [changed])
    assert reported.tables / "comparisons.csv" in report(reported).written
    assert ",0.5," in (reported.tables / "comparisons.csv").read_text(encoding="utf-8")


def test_comparisons_with_variants_that_are_not_shown_are_not_shown(campaign: Campaign) -> None:
    """A report of V0 and V3 has their comparisons alone, adjusted as in the file."""
    results = read_results(campaign, ["V0", "V3"])
    assert {one.variant_id for one in results.comparisons} == {"V0"}
    assert results.n_tests == 3


def test_variants_are_found_in_natural_order_without_the_comparisons(campaign: Campaign) -> None:
    """What lies in metrics/ says which variants there are; an empty folder is an error that names the remedy."""
    assert measured_variants(campaign)[0] == NAMES
    with pytest.raises(DataError, match="compute-metrics"):
        measured_variants(Campaign(campaign.root / "elsewhere"))
