"""`explain`: where a number of a table comes from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.options import (
    campaign_of,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    option,
)
from exaid_evals.cli.showing import shown

if TYPE_CHECKING:
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.provenance.cells import Place
    from exaid_evals.provenance.seeds_trail import SeedsTrail
    from exaid_evals.provenance.trail import Trail

_LABEL = 13


@click.command("explain")
@click.argument("table")
@click.argument("row")
@click.argument("column")
@option(
    "--cases",
    "with_cases",
    is_flag=True,
    envvar="EXAID_WITH_CASES",  # EXAID_CASES is a list of ids, for the stages
    help="List every case behind the number, with its files.",
)
@option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@data_dir_option
@config_dir_option
@debug_option
def command(
    table: str,
    row: str,
    column: str,
    with_cases: bool,
    as_json: bool,
    data_dir: Path | None,
    config_dir: Path | None,
) -> int:
    """Say where a number of a TABLE comes from: the record, the files and their hashes, the cases, the definition.

    TABLE goes by its name (main), its file or its number in the paper (table-2). ROW is a variant (V3), or for
    differences a measure and a pair (coverage/V0/V3, "V0 vs V3 / coverage"). COLUMN is a measure (coverage), a heading
    (Coverage), or a column of the CSV (coverage_ci95_low).

    What has changed since the number was made is said; the exit status is 0 all the same.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.provenance.cells import find_place
    from exaid_evals.provenance.seeds_trail import seeds_trail_of
    from exaid_evals.provenance.tables import find_table, primary_variant, table_name
    from exaid_evals.provenance.trail import trail_of
    from exaid_evals.report.paper import OVER_SEEDS

    campaign = campaign_of(data_dir)
    config = load_config(MetricsConfig, config_dir_of(config_dir) / "metrics.yaml").value
    if table_name(table) == OVER_SEEDS:
        over_seeds = seeds_trail_of(campaign, row, column, config)
        _print(_seeds_lines(over_seeds, with_cases=with_cases), _seeds_document(over_seeds), as_json=as_json)
        return 0
    place = find_place(find_table(campaign, table), row, column)
    if place.empty:
        _print(_empty_lines(place), _cell_document(place), as_json=as_json)
        return 0
    trail = trail_of(campaign, place, config, primary_variant(campaign))
    _print(_lines(campaign, trail, with_cases=with_cases), _document(trail), as_json=as_json)
    return 0


def _print(lines: Iterable[tuple[str, str]], document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        from exaid_evals.artifacts.canonical import canonical_json

        click.echo(canonical_json(document))
        return
    for label, text in lines:
        click.echo(f"{label:<{_LABEL}}{text}".rstrip())


def _empty_lines(place: Place) -> Iterator[tuple[str, str]]:
    yield from _cell_lines(place)
    yield "", f"the table {place.table.name} has no {place.column.heading} for this row: there is nothing to explain"


def _cell_lines(place: Place) -> Iterator[tuple[str, str]]:
    yield "cell", f"table {place.table.name}, row {place.row.name}, column {place.column.heading}"
    yield "shown", place.shown


def _value_lines(place: Place) -> Iterator[tuple[str, str]]:
    for name, value in place.values.items():
        yield "", f"{name} = {'undefined' if value is None else value}"


def _seeds_lines(over_seeds: SeedsTrail, *, with_cases: bool) -> Iterator[tuple[str, str]]:
    place = over_seeds.place
    yield from _cell_lines(place)
    yield from _value_lines(place)
    yield "joined", over_seeds.note
    yield "tables", ", ".join(f"{path} ({state})" for path, state in over_seeds.form_states.items())
    yield "export", " ".join(over_seeds.summary)
    yield "signature", place.row.signature
    for number, (name, (member, trail)) in enumerate(over_seeds.of_seeds.items()):
        yield name, trail.place.shown
        if number == 0:
            definition = list(_definition(trail))
        yield "", f"{shown(member.root / trail.record.file)}:{trail.record.line} {trail.record.sha256}"
        yield "", ", ".join(f"{what} {count}" for what, count in trail.counts.items())
        words = ["explain", trail.place.table.name, place.row.key, place.column.measure, "--data-dir", str(member.root)]
        yield "", f"to follow it: exaid-evals {shlex.join(words)}"
        if with_cases:
            yield from _case_lines(trail)
    yield from definition
    yield _stale_line(over_seeds.stale)


def _stale_line(stale: Sequence[str]) -> tuple[str, str]:
    return "stale", "; ".join(stale) if stale else "no: what it was made from has not changed"


def _case_lines(trail: Trail) -> Iterator[tuple[str, str]]:
    for case in trail.cases:
        yield case.case_id, f"{case.note if case.value is None else case.value}"
        for path, digest in case.files.items():
            yield "", f"{path} {digest or 'not here'}"


def _lines(campaign: Campaign, trail: Trail, *, with_cases: bool) -> Iterator[tuple[str, str]]:
    place, record = trail.place, trail.record
    yield from _cell_lines(place)
    yield from _value_lines(place)
    yield "record", f"{shown(campaign.root / record.file)}:{record.line}"
    yield "", record.sha256
    yield "tables", ", ".join(f"{path} ({state})" for path, state in trail.form_states.items())
    yield "cases", ", ".join(f"{name} {count}" for name, count in trail.counts.items())
    if trail.interval:
        yield "interval", trail.interval
    yield "signature", str(record.record["signature"])
    for one in trail.upstream:
        yield f"made {one.variant_id}", f"{one.metrics_file} {one.metrics_sha256}"
        if one.made_from is not None:
            yield "", f"from {one.n_runs} run logs, runs/{one.variant_id}/, hash over them {one.made_from.runs_hash}"
            yield "", f"of traces {one.made_from.trace_dataset_hash}"
        if one.run_config_hash:
            yield "", f"under the configuration {one.run_config_hash}"
    yield "manifest", " ".join(trail.manifest) if trail.manifest else "not here"
    yield from _definition(trail)
    yield _stale_line(trail.stale)
    if with_cases:
        yield from _case_lines(trail)


def _definition(trail: Trail) -> Iterator[tuple[str, str]]:
    name, unit, better = trail.measure
    if trail.statistic:
        yield "statistic", f"{trail.place.field}: {trail.statistic}"
    direction = {"higher": "higher is better", "lower": "lower is better"}.get(better, "describes")
    yield "measure", f"{name} ({unit}, {direction})" if unit else f"{name} (not declared by the configuration here)"
    if trail.definition is None:
        return
    yield "formula", trail.definition.formula
    for remark in trail.definition.remarks:
        yield "", remark
    if trail.definition.edge_cases:
        yield "edge cases", trail.definition.edge_cases
    if trail.definition.example:
        yield "example", trail.definition.example
    for line in trail.definition.code.splitlines():
        yield "" if trail.definition.example or not line.startswith(">>>") else "example", line


def _cell_document(place: Place) -> dict[str, Any]:
    return {
        "table": place.table.name,
        "row": place.row.key,
        "column": place.column.measure,
        "shown": place.shown,
        "values": place.values,
        "empty": place.empty,
    }


def _seeds_document(over_seeds: SeedsTrail) -> dict[str, Any]:
    """Return a trail over seeds as plain data."""
    return {
        **_cell_document(over_seeds.place),
        "tables": dict(over_seeds.form_states),
        "export": {"file": over_seeds.summary[0], "sha256": over_seeds.summary[1]},
        "signature": over_seeds.place.row.signature,
        "stub": over_seeds.place.row.stub,
        "joined": over_seeds.note,
        "seeds": {name: _document(trail) for name, (_, trail) in over_seeds.of_seeds.items()},
        "stale": list(over_seeds.stale),
    }


def _document(trail: Trail) -> dict[str, Any]:
    """Return a trail as plain data."""
    from dataclasses import asdict

    name, unit, better = trail.measure
    return {
        **_cell_document(trail.place),
        "record": {"file": trail.record.file, "line": trail.record.line, "sha256": trail.record.sha256},
        "tables": dict(trail.form_states),
        "counts": dict(trail.counts),
        "interval": trail.interval,
        "signature": trail.record.record["signature"],
        "stub": trail.record.record["stub"],
        "upstream": [asdict(one) for one in trail.upstream],
        "manifest": {"file": trail.manifest[0], "sha256": trail.manifest[1]} if trail.manifest else None,
        "measure": {"name": name, "unit": unit, "better": better},
        "definition": asdict(trail.definition) if trail.definition else None,
        "statistic": trail.statistic or None,
        "stale": list(trail.stale),
        "cases": [asdict(case) for case in trail.cases],
    }
