"""The tables of a campaign, built anew from its metrics files."""

from __future__ import annotations

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.records import read_variant
from exaid_evals.provenance.cells import unknown_table
from exaid_evals.provenance.staleness import measured_variants
from exaid_evals.report.base import Table
from exaid_evals.report.registry import TABLES
from exaid_evals.report.results import read_results
from exaid_evals.report.stage import build_tables as report_tables


def primary_variant(campaign: Campaign) -> str:
    """Return the variant that stands out: as the metrics say where it was measured, else the last one.

    Raises:
        DataError: there are no metrics.
    """
    variants = measured_variants(campaign)
    if not variants:
        remedy = f"run {campaign.call('compute-metrics')}"
        raise DataError("no metrics here", where=str(campaign.metrics), remedy=remedy)
    made_from = read_variant(campaign.metrics_file(variants[0])).made_from
    return made_from.primary_variant if made_from and made_from.primary_variant in variants else variants[-1]


def build_tables(campaign: Campaign) -> dict[str, Table]:
    """Return every table that the campaign's metrics give, by name.

    Raises:
        DataError: there are no metrics, or they are damaged.
    """
    primary = primary_variant(campaign)
    tables, _ = report_tables(read_results(campaign, measured_variants(campaign)), primary)
    return tables


def find_table(campaign: Campaign, name: str) -> Table:
    """Return a table by its name, in any case, with `-` or `_`.

    Raises:
        ConfigError: there is none of that name, or the campaign's metrics do not give it.
        DataError: there are no metrics, or they are damaged.
    """
    wanted = name.casefold().replace("-", "_").removesuffix(".tex").removesuffix(".csv").removesuffix(".md")
    if wanted not in TABLES:
        raise unknown_table(name, list(TABLES))
    tables = build_tables(campaign)
    if wanted not in tables:
        raise ConfigError(
            f"the metrics here give no table {wanted}",
            where="TABLE",
            remedy=f"they give {', '.join(tables)}; run {campaign.call('compute-metrics')} over more variants",
        )
    return tables[wanted]
