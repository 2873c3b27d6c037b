"""A campaign as the page needs it: an overview, of which it draws the first sight, and a record per case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from exaid_evals.artifacts.manifest import Manifest, TraceEntry
from exaid_evals.concepts.base import Extractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.execution.local import Processes
from exaid_evals.metrics.measurer import Measuring
from exaid_evals.metrics.records import (
    COVERAGE_CURVE,
    CaseMetrics,
    VariantMetrics,
    read_variant,
    read_variant_and_cases,
)
from exaid_evals.metrics.registry import load_measures
from exaid_evals.metrics.runs import read_meta
from exaid_evals.provenance.lineage import Lineages
from exaid_evals.provenance.lines import lineage_lines
from exaid_evals.provenance.tables import Place
from exaid_evals.report.base import Column, Row, Table, build_table, column
from exaid_evals.report.figures.canvas import LINE_STYLES, line_styles
from exaid_evals.report.notes import STUB_NOTE, cases_note, models_note, signatures_of, time_note
from exaid_evals.report.results import Results, read_results
from exaid_evals.report.stage import build_tables
from exaid_evals.viewer.case import CaseReader, ShownCase

SHOWN = ("main", "coverage_at_budget", "comparisons", "delays", "data_set")
"""Those of the report that the overview shows; the others stand in the campaign's folder."""
COST = "cost"
_COSTS = ("llm_calls", "trigger_calls", "prompt_ctu", "completion_ctu", "trigger_ctu")
_LATENCIES = ("latency_ms_p50", "latency_ms_p95", "trigger_latency_ms_p50", "trigger_latency_ms_p95")
_LOCAL_FILES = "tables"
_AS_RECORDED = 2e-6
"""By how much a number may differ from the record, which has six decimals."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What the page holds, as JSON has it.

    Attributes:
        overview: everything but the cases' texts.
        cases: a record per case, in the order of `overview["cases"]`.
        signatures: of every number.
    """

    overview: Mapping[str, Any]
    cases: Sequence[Mapping[str, Any]]
    signatures: Sequence[str]


@dataclass(frozen=True, slots=True)
class Source:
    """A campaign, and what measured it.

    Attributes:
        entries: its measured cases.
        variants: its measured variants, in natural order.
        primary: the one that stands out.
        warnings: what has changed since it was measured.
        prices: of a million tokens of prompts and of answers; None where they are not known.
    """

    campaign: Campaign
    manifest: Manifest
    entries: Sequence[TraceEntry]
    variants: Sequence[str]
    primary: str
    config: MetricsConfig
    stop_entities: frozenset[str]
    extractor: Extractor
    warnings: Sequence[str] = ()
    prices: tuple[float, float] | None = None


def collect(source: Source, *, jobs: int, on_case: Callable[[str], None]) -> Collected:
    """Read everything that the page holds.

    Raises:
        DataError: names every case that cannot be read, or that shows another coverage than its metrics say: the
            extractor, its settings or a definition are then not those that measured the campaign.
        CaseFailedError: a part of somebody's own kept a case from being read.
    """
    campaign = source.campaign
    _require_extractor(source)
    measured = {name: read_variant_and_cases(campaign.metrics_file(name)) for name in source.variants}
    shown = _cases(source, jobs, on_case)
    by_case = {name: {case.case_id: case for case in cases} for name, (_, cases) in measured.items()}
    _require_as_measured(source, shown, by_case)
    results = read_results(campaign, source.variants)
    names = dict(sorted({concept: name for one in shown for concept, name in one.names.items()}.items()))
    number = {concept: at for at, concept in enumerate(names)}
    tables, _ = build_tables(results, source.primary)
    writer = TableWriter(Lineages(campaign, source.config, source.primary))
    signatures = signatures_of(results)
    overview = {
        "title": _title(source, results),
        "notes": [note for note in (cases_note(results), models_note(results), time_note(results)) if note],
        "stub": STUB_NOTE if any(one.stub for one in results) else "",
        "signatures": signatures,
        "warnings": list(source.warnings),
        "variants": _variants(source, results),
        "primary": source.primary,
        "policy": source.config.budget_policy,
        "budgets": list(source.config.budget_list),
        "curves": {one.variant_id: _curve(one) for one in results if COVERAGE_CURVE in one.curves},
        "tables": [writer.write(table) for table in shown_tables(tables, results, source.primary)],
        "lines": writer.lines,
        "measures": _measures(source.config, results),
        "values": _values(source, shown, by_case),
        "cases": [_case(one, number) for one in shown],
        "concepts": [[concept, name] for concept, name in names.items()],
        "prices": list(source.prices) if source.prices else None,
    }
    return Collected(overview, [one.record for one in shown], signatures)


def _cases(source: Source, jobs: int, on_case: Callable[[str], None]) -> list[ShownCase]:
    measuring = Measuring(source.campaign.root, source.config, source.stop_entities, source.manifest.trace_dataset_hash)
    build = partial(CaseReader, measuring, source.variants)
    here = CaseReader(measuring, source.variants, source.extractor)
    shown = []
    for _, case in Processes(jobs).map_ordered(build, source.entries, here=here):
        shown.append(case)
        on_case(case.case_id)
    problems = [case.problem for case in shown if case.problem is not None]
    if problems:
        what = f"{len(problems)} cases cannot be shown:" + "".join(f"\n  - {problem}" for problem in problems)
        own = all(isinstance(one, CaseFailedError) for one in problems)
        raise problems[0] if len(problems) == 1 else CaseFailedError(what) if own else DataError(what)
    return shown


def _require_extractor(source: Source) -> None:
    for variant in source.variants:
        signature = read_variant(source.campaign.metrics_file(variant)).signature
        measured_by = next((one.partition(":")[2] for one in signature.split("|") if one.startswith("concepts:")), "")
        if measured_by != source.extractor.id:
            raise DataError(
                f"{variant} was measured with concepts {measured_by}, and the configuration here names "
                f"{source.extractor.id}",
                where=str(source.campaign.metrics_file(variant)),
                remedy=f"run {source.campaign.call('compute-metrics')}, or name the same --config-dir and --extractor",
            )


def _require_as_measured(
    source: Source, shown: Iterable[ShownCase], by_case: Mapping[str, Mapping[str, CaseMetrics]]
) -> None:
    for case in shown:
        for variant, now in case.coverage.items():
            recorded = by_case[variant][case.case_id].measures.get("coverage")
            if (recorded is None) != (now is None) or abs((recorded or 0) - (now or 0)) > _AS_RECORDED:
                raise DataError(
                    f"coverage of {case.case_id} under {variant} is {now}, and its metrics say {recorded}: they were "
                    "measured with another extractor, other settings or another version",
                    where=str(source.campaign.metrics_file(variant)),
                    remedy=f"run {source.campaign.call('compute-metrics')} with the same configuration as this",
                )


def _title(source: Source, results: Results) -> str:
    cases, variants = len(source.entries), len(results)
    return f"{cases} case{'' if cases == 1 else 's'} under {variants} variant{'' if variants == 1 else 's'}"


def _variants(source: Source, results: Results) -> list[dict[str, Any]]:
    looks = line_styles(source.variants)
    return [
        {
            "id": one.variant_id,
            "look": LINE_STYLES.index(looks[one.variant_id]),
            "n_failed": one.n_failed,
            **_composition(source, one.variant_id),
        }
        for one in results
    ]


def _composition(source: Source, variant: str) -> dict[str, Any]:
    """Return what a variant is made of, from the record that opens any of its runs."""
    meta = read_meta(source.campaign, variant, source.entries[0].case_id)
    parts = {name: meta[name] for name in ("gate", "trigger", "summarizer", "history_k") if name in meta}
    llm = meta.get("llm") or {}
    described = meta["config"].get("variant", {}).get("description", "")
    return {"description": described, "parts": parts, "llm": f"{llm.get('client', '')}/{llm.get('model', '')}"}


def _curve(variant: VariantMetrics) -> dict[str, Any]:
    curve = variant.curves[COVERAGE_CURVE]
    low, high = map(list, curve.drawn)
    return {"x": list(curve.x), "mean": list(curve.mean), "low": low, "high": high, "band": curve.has_band}


def _measures(config: MetricsConfig, results: Results) -> dict[str, dict[str, Any]]:
    declared = {measure.name: measure for measure in load_measures(config)}
    made_from = results[0].made_from
    better = made_from.better if made_from else {}
    found = {}
    for name in sorted({name for one in results for name in one.measures}):
        own, known = column(name), declared.get(name)
        found[name] = {
            "heading": own.heading,
            "unit": own.unit,
            "decimals": own.decimals,
            "scale": own.scale,
            "better": known.better if known else better.get(name, "neither"),
        }
    return found


def _values(
    source: Source, shown: Sequence[ShownCase], by_case: Mapping[str, Mapping[str, CaseMetrics]]
) -> dict[str, dict[str, list[float | None]]]:
    """Return variant → measure → a value per case, None where undefined or where the case failed."""
    values: dict[str, dict[str, list[float | None]]] = {}
    for variant in source.variants:
        cases = [by_case[variant][one.case_id].measures for one in shown]
        names = sorted({name for measures in cases for name in measures})
        values[variant] = {name: [measures.get(name) for measures in cases] for name in names}
    return values


def _case(case: ShownCase, number: Mapping[str, int]) -> dict[str, Any]:
    """Return what lists need of a case: its concepts by number, and which of them each variant stated."""
    return {
        "id": case.case_id,
        "failed": case.record["failed"],
        "status": {variant: run["status"] for variant, run in case.record["runs"].items()},
        "said": [number[concept] for concept in case.said],
        "stated": {
            variant: "".join("1" if concept in stated else "0" for concept in case.said)
            for variant, stated in case.stated.items()
        },
        "unsupported": {
            variant: [number[concept] for concept in found] for variant, found in case.unsupported.items() if found
        },
    }


def cost_table(results: Results, primary: str) -> Table:
    """Return what each variant asks of the language model, and how long it waits for it."""
    columns = [
        *(column(name, panel="What it asks of the language model, per case") for name in _COSTS),
        *(column(name, panel="How long it waits for it") for name in _LATENCIES),
    ]
    return build_table(COST, "Cost", columns, results, primary)


class TableWriter:
    """Writes tables as the page has them; lines that many numbers share are held once.

    Attributes:
        lines: label and text of every line of provenance.
    """

    def __init__(self, lineages: Lineages) -> None:
        self._lineages = lineages
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def lines(self) -> list[list[str]]:
        """Label and text of every line; cells name them by number."""
        return [list(line) for line in self._numbers]

    def write(self, table: Table) -> dict[str, Any]:
        """Return a table: headings, and per cell its text, its measure and variants, and its lines of provenance."""
        return {
            "name": table.name,
            "title": table.title,
            "notes": list(table.notes),
            "heading": table.row_heading,
            "columns": [
                {"heading": one.heading, "unit": one.unit, "panel": one.panel, "left": one.left}
                for one in table.columns
            ],
            "rows": [
                {
                    "key": row.key,
                    "label": row.name,
                    "group": row.group,
                    "primary": row.key == table.primary,
                    "cells": [self._cell(table, row, one) for one in table.columns],
                }
                for row in table.rows
            ],
        }

    def _cell(self, table: Table, row: Row, of: Column) -> dict[str, Any] | None:
        place = Place(table, row, of)
        if place.empty:
            return None
        cell = row.cells[table.columns.index(of)]
        written = {"text": of.shown(cell), "below": of.below(cell), "measure": place.measure}
        keys = {name: key for name, key in place.keys.items() if name in ("variant", "against")}
        return {**written, **keys, "lines": [self._number(line) for line in self._lines(place)]}

    def _lines(self, place: Place) -> Iterator[tuple[str, str]]:
        local = place.table.name == COST  # which no file has
        label = ""
        for name, text in lineage_lines(self._lineages.of(place)):
            label = name or label
            if not (local and label == _LOCAL_FILES):
                yield name, text

    def _number(self, line: tuple[str, str]) -> int:
        return self._numbers.setdefault(line, len(self._numbers))


def shown_tables(tables: Mapping[str, Table], results: Results, primary: str) -> list[Table]:
    """Return the tables of the overview, in their order; those that the data do not give are left out."""
    return [*(tables[name] for name in SHOWN if name in tables), cost_table(results, primary)]
