"""What `explain` says of a number, as lines of a label and a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.provenance.lineage import Lineage, lineage_of, state_of
from exaid_evals.provenance.reported import Remade, exported_files, seeds_table, summary_file
from exaid_evals.provenance.tables import Place, find_cell, find_table, primary_variant
from exaid_evals.report.base import Table
from exaid_evals.report.paper import OVER_SEEDS
from exaid_evals.report.tables.variants import MAIN


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
        there = find_table(member, MAIN.name)
        if place.row.key not in {one.key for one in there.rows}:
            continue  # not every seed need have every variant
        cell = find_cell(there, place.row.key, place.column.measure)
        of_seeds[name] = (member, lineage_of(member, cell, config, primary_variant(member)))
    if not of_seeds:
        remedy = "export again with `exaid-evals export`"
        raise DataError(f"no campaign has the row {place.row.key}", where=str(campaign.exports), remedy=remedy)
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
            states[campaign.relative(path)] = state_of(path, content)
    return states


def cell_lines(place: Place) -> Iterator[tuple[str, str]]:
    """Yield which cell it is, and what it shows."""
    yield "cell", f"table {place.table.name}, row {place.row.name}, column {place.column.heading}"
    yield "shown", place.shown


def value_lines(place: Place) -> Iterator[tuple[str, str]]:
    """Yield every number of the cell with all its decimals."""
    for name, value in place.values.items():
        yield "", f"{name} = {'undefined' if value is None else value}"


def stale_line(stale: Sequence[str]) -> tuple[str, str]:
    """Return what has changed since the number was made."""
    return "stale", "; ".join(stale) if stale else "no: what it was made from has not changed"


def case_lines(lineage: Lineage) -> Iterator[tuple[str, str]]:
    """Yield every case behind a number, with its value and its files."""
    for case in lineage.cases:
        yield case.case_id, f"{case.note if case.value is None else case.value}"
        for path, digest in case.files.items():
            yield "", f"{path} {digest or 'not here'}"


def lineage_lines(lineage: Lineage, *, below: str = "", with_cases: bool = False) -> Iterator[tuple[str, str]]:
    """Yield everything behind a cell.

    Args:
        lineage: of the cell.
        below: what stands before paths inside the campaign.
        with_cases: whether every case is listed.
    """
    place, record = lineage.place, lineage.record
    yield from cell_lines(place)
    yield from value_lines(place)
    yield "record", f"{below}{record.file}:{record.line}"
    yield "", record.sha256
    yield "tables", ", ".join(f"{path} ({state})" for path, state in lineage.form_states.items())
    yield "cases", ", ".join(f"{name} {count}" for name, count in lineage.counts.items())
    if lineage.interval:
        yield "interval", lineage.interval
    yield "signature", str(record.record["signature"])
    for one in lineage.upstream:
        yield f"made {one.variant_id}", f"{one.metrics_file} {one.metrics_sha256}"
        if one.made_from is not None:
            yield "", f"from {one.n_runs} run logs, runs/{one.variant_id}/, hash over them {one.made_from.runs_hash}"
            yield "", f"of traces {one.made_from.trace_dataset_hash}"
        if one.run_config_hash:
            yield "", f"under the configuration {one.run_config_hash}"
    yield "manifest", " ".join(lineage.manifest) if lineage.manifest else "not here"
    yield from definition_lines(lineage)
    yield stale_line(lineage.stale)
    if with_cases:
        yield from case_lines(lineage)


def definition_lines(lineage: Lineage) -> Iterator[tuple[str, str]]:
    """Yield what the measure is, from its docstring, and the comparison's statistic where it is one."""
    name, unit, better = lineage.measure
    if lineage.statistic:
        yield "statistic", f"{lineage.place.field}: {lineage.statistic}"
    direction = {"higher": "higher is better", "lower": "lower is better"}.get(better, "describes")
    yield "measure", f"{name} ({unit}, {direction})" if unit else f"{name} (not declared by the configuration here)"
    if lineage.definition is None:
        return
    yield "formula", lineage.definition.formula
    for remark in lineage.definition.remarks:
        yield "", remark
    if lineage.definition.edge_cases:
        yield "edge cases", lineage.definition.edge_cases
    if lineage.definition.example:
        yield "example", lineage.definition.example
    for line in lineage.definition.code.splitlines():
        yield "" if lineage.definition.example or not line.startswith(">>>") else "example", line
