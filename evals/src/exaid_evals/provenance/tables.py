"""The tables of a campaign, built anew from its metrics files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exaid_evals.artifacts.hashing import sha256_file, short
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.records import MadeFrom, read_case_ids, read_comparisons, read_variant
from exaid_evals.metrics.runs import measured_variants, runs_on_disk
from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.paper import OVER_SEEDS
from exaid_evals.report.paper import TABLES as PAPER_TABLES
from exaid_evals.report.registry import TABLES
from exaid_evals.report.results import read_results
from exaid_evals.report.stage import build_tables as report_tables
from exaid_evals.traces.freeze import verify_frozen


def stale_traces(campaign: Campaign, made_from: MadeFrom) -> str | None:
    """State how the frozen traces are not those that were measured; None where they are, or are not here."""
    if not campaign.manifest_file.is_file():
        return None
    try:
        now = read_manifest(campaign.manifest_file).trace_dataset_hash
    except DataError as error:
        return f"the manifest cannot be read: {error.what}"
    if now == made_from.trace_dataset_hash:
        return _altered_traces(campaign)
    return f"traces {short(made_from.trace_dataset_hash)} were measured, and {short(now)} are frozen now"


def _altered_traces(campaign: Campaign) -> str | None:
    """State which traces here are not what the manifest froze; None where they are, or none is here."""
    if not campaign.traces.is_dir():
        return None
    try:
        verify_frozen(campaign)
    except DataError as error:
        return error.what
    return None


def stale_runs(campaign: Campaign, variant: str, made_from: MadeFrom) -> str | None:
    """State how the run logs are not those that were measured; None where they are, or are not here."""
    cases = read_case_ids(campaign.metrics_file(variant))
    try:
        now = runs_on_disk(campaign, variant, cases)
    except DataError as error:
        return f"a run log of {variant} is damaged: {error}"
    if now is None or now == made_from.runs_hash:
        return None
    return f"the run logs of {variant} have changed since they were measured"


def stale_comparisons(campaign: Campaign) -> list[str]:
    """State which metrics have changed since variants were compared."""
    if not campaign.comparisons_file.is_file():
        return []
    made_from = {item for one in read_comparisons(campaign.comparisons_file) for item in one.made_from.items()}
    found = []
    for variant, digest in sorted(made_from):
        path = campaign.metrics_file(variant)
        if not path.is_file():
            found.append(f"{variant} was compared, and has no metrics any more")
        elif sha256_file(path) != digest:
            found.append(f"the metrics of {variant} have changed since they were compared")
    return list(dict.fromkeys(found))


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
    if wanted not in TABLES.names():
        raise unknown_table(name, [*TABLES.names(), OVER_SEEDS])
    tables = build_tables(campaign)
    if wanted not in tables:
        raise ConfigError(
            f"the metrics here give no table {wanted}",
            where="TABLE",
            remedy=f"they give {', '.join(tables)}; run {campaign.call('compute-metrics')} over more variants",
        )
    return tables[wanted]


_BETWEEN = re.compile(r"\s+vs\.?\s+|\s+against\s+|[\s/,()−]+|\s-\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a table.

    Attributes:
        table: the table.
        row: the row.
        column: the column.
        statistic: which of the cell's numbers is meant; empty for the one that is shown.
    """

    table: Table
    row: Row
    column: Column
    statistic: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """Return what identifies the row, by name."""
        return dict(zip(self.table.key_names, self.row.keys, strict=False))

    @property
    def measure(self) -> str:
        """Return the measure that the cell is about: its own, the row's where rows are measures, else the column's."""
        if self.row.measures:
            return self.row.measures[self.table.columns.index(self.column)]
        return self.keys.get("measure", self.column.measure)

    @property
    def field(self) -> str:
        """Return the cell's field in its record: `mean`, `ci95_low`, `wilcoxon_p`."""
        if "measure" in self.keys:
            return self.statistic or self.column.measure
        return self.statistic or self.column.holds.STATISTICS[0]

    @property
    def values(self) -> dict[str, object]:
        """Return every number of the cell with all its decimals, by its name in CSV."""
        cell = self.row.cells[self.table.columns.index(self.column)]
        return dict(zip(self.column.csv_names, self.column.values(cell), strict=True))

    @property
    def empty(self) -> bool:
        """Return whether the table has no such number at all: nothing was measured for this row under this heading."""
        return self.row.cells[self.table.columns.index(self.column)] is None

    @property
    def shown(self) -> str:
        """Return the cell as readers see it, with what stands below it."""
        cell = self.row.cells[self.table.columns.index(self.column)]
        return " ".join(part for part in (self.column.shown(cell), self.column.below(cell)) if part)


def find_cell(table: Table, row: str, column: str) -> Place:
    """Return the cell that a user names.

    A row goes by its key (`V3`, `coverage/V0/V3`), by its keys in any order (`V0 vs V3 / coverage`), or by its label
    where only one row has it; a column by its measure, its heading, or its name in CSV. Case does not matter.

    Raises:
        ConfigError: no row, or no column, has that name; says which there are.
    """
    rows = [one for one in table.rows if _names_row(one, row)]
    if len(rows) != 1:
        keys = [one.key for one in rows or table.rows]
        what = f"{len(rows)} rows are called {row!r}" if rows else f"the table {table.name} has no row {row!r}"
        turned = next((one.key for one in table.rows if not rows and _names_turned(one, row)), None)
        if turned is not None:
            remedy = f"there is {turned}, the first less the second: its sign is the other one"
            raise ConfigError(what, where="ROW", remedy=remedy)
        raise ConfigError(what, where="ROW", remedy=_remedy(row, keys, all_of_them=bool(rows)))
    for candidate in table.columns:
        if column.casefold() in (candidate.measure.casefold(), candidate.heading.casefold()):
            return Place(table, rows[0], candidate)
        for name, statistic in zip(candidate.csv_names, candidate.holds.STATISTICS, strict=True):
            if column.casefold() == name.casefold():
                return Place(table, rows[0], candidate, statistic)
    names = [name for one in table.columns for name in (one.measure, one.heading)]
    known = [one.measure for one in table.columns]
    raise ConfigError(
        f"the table {table.name} has no column {column!r}", where="COLUMN", remedy=_remedy(column, known, also=names)
    )


def unknown_table(name: str, known: Sequence[str]) -> ConfigError:
    """Return the error of a name that no table has."""
    return ConfigError(f"no table is called {name!r}", where="TABLE", remedy=_remedy(name, known, all_of_them=True))


def _names_row(row: Row, asked: str) -> bool:
    wanted = asked.casefold().strip()
    if wanted in (row.key.casefold(), row.label.casefold()):
        return True
    parts, keys = _parts(wanted), [key.casefold() for key in row.keys]
    # Of a pair the order counts (V0 against V3 is not V3 against V0); the measure may stand before or behind it.
    return len(parts) == len(keys) > 1 and parts in (keys, [*keys[1:], keys[0]])


def _names_turned(row: Row, asked: str) -> bool:
    """Return whether the row is of the pair that is asked for, the other way round."""
    keys = [key.casefold() for key in row.keys]
    parts = _parts(asked.casefold())
    return len(keys) > 2 and sorted(parts) == sorted(keys)


def _parts(asked: str) -> list[str]:
    return [part for part in _BETWEEN.split(asked) if part]


def _remedy(asked: str, known: Sequence[str], *, also: Sequence[str] = (), all_of_them: bool = False) -> str:
    names = {name.casefold(): name for name in (*also, *known)}
    near = [names[name] for name in difflib.get_close_matches(asked.casefold(), names, n=2, cutoff=0.5)]
    there = "there are " + ", ".join(known if all_of_them or len(known) <= 24 else [*known[:24], "…"])
    return f"did you mean {' or '.join(near)}? {there}" if near else there
