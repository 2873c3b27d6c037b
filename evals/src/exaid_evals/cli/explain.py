"""A campaign read: `explain` says where a number comes from, `view` writes it as one HTML file."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import Progress, show_json, shown
from exaid_evals.cli.verb import alone, measuring_of, verb
from exaid_evals.config.request import (
    AllCoresRequest,
    CampaignRequest,
    ConfigRequest,
    ExtractorRequest,
    ForceRequest,
    argument,
    flag,
    option,
)
from exaid_evals.errors import ConfigError

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


def run_explain(request: ExplainRequest) -> int:
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


explain_command = verb("explain", ExplainRequest, run_explain)


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


class ViewRequest(AllCoresRequest, ExtractorRequest, ForceRequest, CampaignRequest, ConfigRequest):
    """What is shown, and where."""

    out: Path | None = option(
        "File to write.  [default: report.html in the campaign's folder]", metavar="FILE", path={"dir_okay": False}
    )
    serve: bool = flag("Serve it on this machine's loopback address instead, and follow the campaign while it runs.")
    port: int = option("Port to serve at; 0 takes a free one.", default=8017, minimum=0, maximum=65535)
    price_input: float | None = option("Price of a million tokens of prompts, to show what calls cost.", minimum=0)
    price_output: float | None = option("Price of a million tokens of answers.", minimum=0)

    def __post_init__(self) -> None:
        """Refuse one price alone."""
        if (self.price_input is None) != (self.price_output is None):
            raise ConfigError("one price alone", where="--price-input, --price-output", remedy="give both, or none")

    @property
    def prices(self) -> tuple[float, float] | None:
        """Both prices; None where they are not known."""
        both = self.price_input, self.price_output
        return None if both[0] is None or both[1] is None else (both[0], both[1])


def run_view(request: ViewRequest) -> int:
    """Write a campaign as one HTML file, which any browser opens without a server or a network.

    The file has tables and figures, the cases behind each number, the output of `explain` for it, and for each case the
    conversation beside the updates of two variants: what was said, stated, left out, made up or negated, at any moment
    and within any reading budget.

    With --serve nothing is written: a page on this machine shows progress, failures, cost and the estimated end, and
    links to the report once there are metrics.
    """
    return _serve(request) if request.serve else _write(request)


view_command = verb("view", ViewRequest, run_view)


@alone
def _write(request: ViewRequest) -> int:
    from exaid_evals.viewer.page import NAME, write_page

    campaign = request.campaign
    config, stop_entities = measuring_of(request)
    out = (request.out or campaign.root / NAME).resolve()
    with _Counting() as progress:
        written = write_page(
            campaign,
            config,
            stop_entities,
            out,
            prices=request.prices,
            jobs=request.jobs or os.cpu_count() or 1,
            force=request.force,
            on_case=progress.advance,
            on_count=progress.start,
        )
    size = out.stat().st_size / 1e6
    click.echo(f"report   {shown(out)} ({size:.1f} MB{'' if written else ', current'})")
    return 0


def _serve(request: ViewRequest) -> int:
    from functools import partial

    from exaid_evals.config.variant import load_variants
    from exaid_evals.viewer.page import inputs_of, page_of
    from exaid_evals.viewer.serve import Follower, Report, Server

    campaign = request.campaign
    shown_by = campaign, *measuring_of(request)
    variants = [one.variant_id for one in load_variants(request.configs / "variants")]
    report = Report(partial(inputs_of, *shown_by, request.prices), partial(page_of, *shown_by, prices=request.prices))
    try:
        server = Server(request.port, shown(campaign.root), Follower(campaign, variants, request.prices), report)
    except OSError as error:
        what = f"cannot be listened at ({error.strerror})"
        raise ConfigError(what, where=f"--port {request.port}", remedy="name another, or 0 for a free one") from None
    # Ctrl-C and SIGTERM are how it ends, and no interruption.
    with server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"serving {shown(campaign.root)} at {server.address} (Ctrl-C ends it)")
        server.serve_forever()
    return 0


class _Counting:
    """A progress bar whose length is known once the campaign has been looked at."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __enter__(self) -> _Counting:
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

    def start(self, total: int) -> None:
        self._progress = Progress("view", total)

    def advance(self, case_id: str) -> None:
        if self._progress is not None:
            self._progress.advance(case_id)
