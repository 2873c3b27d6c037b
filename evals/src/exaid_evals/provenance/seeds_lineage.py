"""Everything behind a cell of the table over seeds: the same cell of each seed's campaign, and how they were joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.provenance.lineage import Lineage, lineage_of
from exaid_evals.provenance.reported import Remade, exported_files, seeds_table, summary_file
from exaid_evals.provenance.tables import Place, find_cell, find_table, primary_variant
from exaid_evals.report.base import Table
from exaid_evals.report.paper import OVER_SEEDS
from exaid_evals.report.tables import main


@dataclass(frozen=True, slots=True)
class SeedsLineage:
    """Everything behind a cell that is over seeds.

    Attributes:
        place: the cell.
        form_states: file of the table → `current`, `differs` or `missing`.
        summary: file and content hash of what says which campaigns the export is of.
        note: how the means of the seeds were joined, and the interval drawn, as the table's caption says.
        of_seeds: run of the export → its campaign, and the trail of the same cell there.
        stale: everything that has changed since the number was made.
    """

    place: Place
    form_states: Mapping[str, str]
    summary: tuple[str, str]
    note: str
    of_seeds: Mapping[str, tuple[Campaign, Lineage]]
    stale: tuple[str, ...]


def find_seeds_table(campaign: Campaign) -> tuple[Table, Remade]:
    """Return the table over seeds, and the campaigns behind it.

    Raises:
        ConfigError: the campaign has no export of several seeds, or one of campaigns that lie elsewhere.
        DataError: the export or one of its campaigns is damaged.
    """
    found = seeds_table(campaign)
    if found is None:
        command = campaign.call('paper --seeds "42 43 44"')
        raise ConfigError(
            "there is no export of several seeds of this campaign", where="TABLE", remedy=f"run {command}"
        )
    return found


def seeds_lineage_of(campaign: Campaign, row: str, column: str, config: MetricsConfig) -> SeedsLineage:
    """Follow a cell of the table over seeds back to the campaigns.

    Args:
        campaign: whose export it is.
        row: as a user names it.
        column: likewise.
        config: what declares the measures, for their definitions.

    Raises:
        ConfigError: there is no such table, row or column.
        DataError: the export or one of its campaigns is damaged.
    """
    table, remade = find_seeds_table(campaign)
    place = find_cell(table, row, column)
    of_seeds: dict[str, tuple[Campaign, Lineage]] = {}
    for name, member in remade.members.items():
        there = find_table(member, main.NAME)
        if place.row.key not in {one.key for one in there.rows}:
            continue  # not every seed need have every variant
        cell = find_cell(there, place.row.key, place.column.measure)
        of_seeds[name] = (member, lineage_of(member, cell, config, primary_variant(member)))
    if not of_seeds:
        raise DataError(f"no campaign has the row {place.row.key}", where=str(campaign.exports))
    path = summary_file(campaign)
    return SeedsLineage(
        place=place,
        form_states=_form_states(campaign, remade),
        summary=(campaign.relative(path), sha256_file(path)),
        note=table.notes[0],
        of_seeds=of_seeds,
        stale=tuple(f"{name}: {reason}" for name, (_, lineage) in of_seeds.items() for reason in lineage.stale),
    )


def _form_states(campaign: Campaign, remade: Remade) -> dict[str, str]:
    states = {}
    for name, content in exported_files(remade).items():
        if name.startswith(f"{OVER_SEEDS}."):
            path = campaign.exports / name
            current = path.is_file() and path.read_bytes() == content
            states[campaign.relative(path)] = "current" if current else "differs" if path.is_file() else "missing"
    return states
