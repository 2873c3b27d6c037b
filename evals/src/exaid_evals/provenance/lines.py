"""What `explain` says of a number, as lines of a label and a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exaid_evals.provenance.lineage import Lineage
from exaid_evals.provenance.tables import Place


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
