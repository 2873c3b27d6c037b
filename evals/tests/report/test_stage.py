"""Tables and figures are made when what they were made from has changed, and only then."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.comparison_records import write_comparisons
from exaid_evals.metrics.records import CaseMetrics, VariantMetrics, write_metrics
from exaid_evals.report.registry import FORMATS, TABLES
from exaid_evals.report.results import measured_variants, read_results
from exaid_evals.report.stage import Report, write_report
from gold.examples import RESULTS, VARIANTS

NAMES = ["V0", "V3", "V10_b"]


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Return a campaign of metrics alone."""
    campaign = Campaign(tmp_path / "data")
    write(campaign, VARIANTS)
    write_comparisons(campaign.comparisons_file, [dataclasses.replace(one) for one in RESULTS.comparisons])
    return campaign


def write(campaign: Campaign, variants: Sequence[VariantMetrics]) -> None:
    """Write metrics files."""
    for one in variants:
        write_metrics(campaign.metrics_file(one.variant_id), one, [CaseMetrics("case-a", one.variant_id)])


def report(campaign: Campaign, names: Sequence[str] = NAMES) -> Report:
    """Bring the report up to date."""
    return write_report(campaign, names, primary="V3")


def test_each_table_in_each_form(campaign: Campaign) -> None:
    """Every table of the registry, and every figure but the timeline, which has no run logs here."""
    made = report(campaign)
    assert {path.name for path in campaign.tables.iterdir()} == {
        f"{name}.{form}" for name in TABLES for form in FORMATS
    }
    assert made.left_out == {"timeline": "no case with a talk has been measured under every variant"}
    assert set(made.written) == set(made.files) == {*campaign.tables.iterdir(), *campaign.figures.iterdir()}


def test_comparisons_that_are_gone_take_their_table_with_them(campaign: Campaign) -> None:
    """A table that the data no longer give is removed, and the reason is said."""
    report(campaign)
    campaign.comparisons_file.unlink()
    assert "comparisons" in report(campaign).left_out
    assert not list(campaign.tables.glob("comparisons.*"))


@pytest.mark.slow
def test_changed_comparisons_make_everything_anew(campaign: Campaign) -> None:
    """Nothing to do the second time; other comparisons make files stale."""
    report(campaign)
    assert report(campaign).written == ()
    changed = dataclasses.replace(RESULTS.comparisons[0], mean_difference=0.5)
    write_comparisons(campaign.comparisons_file, [changed])
    assert campaign.tables / "comparisons.csv" in report(campaign).written
    assert ",0.5," in (campaign.tables / "comparisons.csv").read_text(encoding="utf-8")


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
