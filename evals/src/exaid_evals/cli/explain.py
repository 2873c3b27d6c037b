"""`explain`: where a number of a table comes from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import show_json, shown
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import CampaignRequest, ConfigRequest, argument, flag

if TYPE_CHECKING:
    from exaid_evals.provenance.lineage import Lineage
    from exaid_evals.provenance.lines import SeedsLineage
    from exaid_evals.provenance.tables import Place

_LABEL = 13


class ExplainRequest(CampaignRequest, ConfigRequest):
    """Which number is explained."""

    table: str = argument(required=True)
    row: str = argument(required=True)
    column: str = argument(required=True)
    with_cases: bool = flag(
        "List every case behind the number, with its files.",
        "--cases",
        variables=("EXAID_WITH_CASES",),  # EXAID_CASES is a list of ids, for the stages
    )
    as_json: bool = flag("Print one JSON document.", "--json")


def run(request: ExplainRequest) -> int:
    """Show where a number of a TABLE comes from: the record, the files and their hashes, the cases, the definition.

    TABLE goes by its name (main), its file or its number in the paper (table-2). ROW is a variant (V3), or for
    differences a measure and a pair (coverage/V0/V3, "V0 vs V3 / coverage"). COLUMN is a measure (coverage), a heading
    (Coverage), or a column of the CSV (coverage_ci95_low).

    Changes since the number was made are listed; the exit status stays 0.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.provenance.lineage import lineage_of
    from exaid_evals.provenance.lines import lineage_lines, seeds_lineage_of
    from exaid_evals.provenance.tables import find_cell, find_table, primary_variant, table_name
    from exaid_evals.report.paper import OVER_SEEDS

    campaign, with_cases, as_json = request.campaign, request.with_cases, request.as_json
    config = load_config(MetricsConfig, request.configs / "metrics.yaml").value
    if table_name(request.table) == OVER_SEEDS:
        over_seeds = seeds_lineage_of(campaign, request.row, request.column, config)
        _print(_seeds_lines(over_seeds, with_cases=with_cases), _seeds_document(over_seeds), as_json=as_json)
        return 0
    place = find_cell(find_table(campaign, request.table), request.row, request.column)
    if place.empty:
        _print(_empty_lines(place), _cell_document(place), as_json=as_json)
        return 0
    lineage = lineage_of(campaign, place, config, primary_variant(campaign))
    below = shown(campaign.root / "x")[:-1]
    _print(lineage_lines(lineage, below=below, with_cases=with_cases), _document(lineage), as_json=as_json)
    return 0


command = verb("explain", ExplainRequest, run)


def _print(lines: Iterable[tuple[str, str]], document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(document)
        return
    for label, text in lines:
        click.echo(f"{label:<{_LABEL}}{text}".rstrip())


def _empty_lines(place: Place) -> Iterator[tuple[str, str]]:
    from exaid_evals.provenance.lines import cell_lines

    yield from cell_lines(place)
    yield "", f"the table {place.table.name} has no {place.column.heading} for this row: there is nothing to explain"


def _seeds_lines(over_seeds: SeedsLineage, *, with_cases: bool) -> Iterator[tuple[str, str]]:
    from exaid_evals.provenance.lines import case_lines, cell_lines, definition_lines, stale_line, value_lines

    place = over_seeds.place
    yield from cell_lines(place)
    yield from value_lines(place)
    yield "joined", over_seeds.note
    yield "tables", ", ".join(f"{path} ({state})" for path, state in over_seeds.form_states.items())
    yield "export", " ".join(over_seeds.summary)
    yield "signature", place.row.signature
    for number, (name, (member, lineage)) in enumerate(over_seeds.of_seeds.items()):
        yield name, lineage.place.shown
        if number == 0:
            definition = list(definition_lines(lineage))
        yield "", f"{shown(member.root / lineage.record.file)}:{lineage.record.line} {lineage.record.sha256}"
        yield "", ", ".join(f"{what} {count}" for what, count in lineage.counts.items())
        asked = [lineage.place.table.name, place.row.key, place.column.measure]
        words = ["explain", *asked, "--data-dir", str(member.root)]
        yield "", f"to follow it: exaid-evals {shlex.join(words)}"
        if with_cases:
            yield from case_lines(lineage)
    yield from definition
    yield stale_line(over_seeds.stale)


def _cell_document(place: Place) -> dict[str, Any]:
    return {
        "table": place.table.name,
        "row": place.row.key,
        "column": place.column.measure,
        "shown": place.shown,
        "values": place.values,
        "empty": place.empty,
    }


def _seeds_document(over_seeds: SeedsLineage) -> dict[str, Any]:
    """Return a lineage over seeds as plain data."""
    return {
        **_cell_document(over_seeds.place),
        "tables": dict(over_seeds.form_states),
        "export": {"file": over_seeds.summary[0], "sha256": over_seeds.summary[1]},
        "signature": over_seeds.place.row.signature,
        "stub": over_seeds.place.row.stub,
        "joined": over_seeds.note,
        "seeds": {name: _document(lineage) for name, (_, lineage) in over_seeds.of_seeds.items()},
        "stale": list(over_seeds.stale),
    }


def _document(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage as plain data."""
    from dataclasses import asdict

    name, unit, better = lineage.measure
    return {
        **_cell_document(lineage.place),
        "record": {"file": lineage.record.file, "line": lineage.record.line, "sha256": lineage.record.sha256},
        "tables": dict(lineage.form_states),
        "counts": dict(lineage.counts),
        "interval": lineage.interval,
        "signature": lineage.record.record["signature"],
        "stub": lineage.record.record["stub"],
        "upstream": [asdict(one) for one in lineage.upstream],
        "manifest": {"file": lineage.manifest[0], "sha256": lineage.manifest[1]} if lineage.manifest else None,
        "measure": {"name": name, "unit": unit, "better": better},
        "definition": asdict(lineage.definition) if lineage.definition else None,
        "statistic": lineage.statistic or None,
        "stale": list(lineage.stale),
        "cases": [asdict(case) for case in lineage.cases],
    }
