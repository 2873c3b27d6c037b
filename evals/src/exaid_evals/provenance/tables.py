"""The tables of a campaign, built anew from its metrics files."""

from __future__ import annotations

import re

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.records import read_variant
from exaid_evals.provenance.cells import unknown_table
from exaid_evals.provenance.staleness import measured_variants
from exaid_evals.report.base import Table
from exaid_evals.report.paper import OVER_SEEDS
from exaid_evals.report.paper import TABLES as PAPER_TABLES
from exaid_evals.report.registry import TABLES
from exaid_evals.report.results import read_results
from exaid_evals.report.stage import build_tables as report_tables

_SUFFIX = re.compile(r"\.(tex|csv|md)$")
_NUMBERED = re.compile(r"table[ _](\d+)(?:_(\w+))?")


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


def table_name(asked: str) -> str:
    """Return a table's name from what a user calls it, a file or the paper's number among them.

    >>> table_name("table-3-coverage-at-budget.tex"), table_name("Main")
    ('coverage_at_budget', 'main')
    """
    stem = _SUFFIX.sub("", asked.casefold()).replace("-", "_")
    numbered = _NUMBERED.fullmatch(stem)
    if numbered is None:
        return stem
    names = dict(enumerate(PAPER_TABLES, start=1))
    return numbered[2] or names.get(int(numbered[1]), stem)


def find_table(campaign: Campaign, name: str) -> Table:
    """Return a table by its name, as `table_name` reads it.

    Raises:
        ConfigError: there is none of that name, or the campaign's metrics do not give it.
        DataError: there are no metrics, or they are damaged.
    """
    wanted = table_name(name)
    if wanted not in TABLES:
        raise unknown_table(name, [*TABLES, OVER_SEEDS])
    tables = build_tables(campaign)
    if wanted not in tables:
        raise ConfigError(
            f"the metrics here give no table {wanted}",
            where="TABLE",
            remedy=f"they give {', '.join(tables)}; run {campaign.call('compute-metrics')} over more variants",
        )
    return tables[wanted]
