"""Everything behind one cell: its record, its cases, what these were made from, and the definition."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import equal_as_rounded
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.files import holds
from exaid_evals.metrics.records import FAILED_RUN, OK, Comparison, MadeFrom, read_variant
from exaid_evals.metrics.registry import load_measures
from exaid_evals.metrics.runs import any_case, present_variants, read_meta
from exaid_evals.provenance.tables import Place, stale_comparisons, stale_runs, stale_traces
from exaid_evals.report.base import Table
from exaid_evals.report.registry import FORMATS, load
from exaid_evals.stats.descriptive import finite

_EDGE = re.compile(r"^Edge cases?:\s*")
_EXAMPLE = re.compile(r"^Example:\s*")
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a measure's docstring says.

    Attributes:
        formula: its first paragraph.
        remarks: the paragraphs that are neither formula, edge cases nor example.
        edge_cases: where it is undefined, and what counts how; empty where nothing is said.
        example: in words, with the lines of the doctest behind it; empty where there is none.
        code: the doctest's lines, with what they print; empty where there is none.
    """

    formula: str
    remarks: tuple[str, ...]
    edge_cases: str
    example: str
    code: str


def definition_of(docstring: str) -> Definition:
    """Take a docstring apart.

    The paragraph before a doctest explains the example, unless it says edge cases or is the formula itself.
    """
    blocks = [block for block in inspect.cleandoc(docstring).split("\n\n") if block.strip()]
    code = "\n\n".join(block for block in blocks if block.startswith(">>>"))
    words = [block for block in blocks if not block.startswith(">>>")]
    formula, *others = words or [""]
    edge_cases = " ".join(_joined(_EDGE.sub("", block)) for block in others if _EDGE.match(block))
    examples = [block for block in others if _EXAMPLE.match(block)]
    plain = [block for block in others if not _EDGE.match(block) and not _EXAMPLE.match(block)]
    if code and plain and blocks.index(plain[-1]) + 1 < len(blocks) and blocks[blocks.index(plain[-1]) + 1] in code:
        examples.append(plain.pop())
    lines = [_split_example(_joined(_EXAMPLE.sub("", block))) for block in examples]
    edge_cases = " ".join([edge_cases, *(edge for _, edge in lines)]).strip()
    return Definition(
        formula=_joined(formula),
        remarks=tuple(_joined(block) for block in plain),
        edge_cases=edge_cases,
        example=" ".join(example for example, _ in lines),
        code=code,
    )


@cache
def comparison_fields() -> dict[str, str]:
    """Return field of a comparison → what it is, from the docstring that declares them."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(Comparison.__doc__ or "").partition("Attributes:")[2].splitlines():
        match = _ATTRIBUTE.match(line.strip())
        if match and line.startswith("    ") and not line.startswith("     "):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}"
    fields: dict[str, str] = {}
    before = ""
    for name, text in found.items():
        referred = re.match(r"see `(\w+)`", text)
        fields[name] = fields[referred[1]] if referred and referred[1] in fields else text
        # `the same, adjusted …` and `its interval …` speak of the field before.
        fields[name] = (
            f"{before.rstrip('.')}; {text}" if re.match(r"(the same|its|those of them)\b", text) else fields[name]
        )
        before = text
    return fields


def _joined(block: str) -> str:
    return " ".join(block.split())


def _split_example(text: str) -> tuple[str, str]:
    """Return an example, and the edge cases that stand in the same paragraph."""
    example, _, edge = text.partition(" Edge case: ")
    return example, edge


_Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """A record on disk: file inside the campaign, line counted from 1, the file's content hash, and the record."""

    file: str
    line: int
    sha256: str
    record: _Record


@dataclass(frozen=True, slots=True)
class CaseBehind:
    """One case behind a number.

    Attributes:
        case_id: the case.
        value: of the measure; None where undefined, or where the case has no conversation. Of a comparison the
            difference.
        note: why there is no value; empty where there is one.
        files: file inside the campaign → its content hash now; None where it is not here.
    """

    case_id: str
    value: float | None
    note: str
    files: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a variant's numbers were made from.

    Attributes:
        variant_id: the variant.
        metrics_file, metrics_sha256: its metrics.
        made_from: as its record says; None in records of old.
        n_runs: run logs that were measured.
        run_config_hash: of the variant's configuration, from any of its run logs; None where none is here.
        stale: what has changed since.
    """

    variant_id: str
    metrics_file: str
    metrics_sha256: str
    made_from: MadeFrom | None
    n_runs: int
    run_config_hash: str | None
    stale: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything behind a cell.

    Attributes:
        place: the cell.
        form_states: file of the table → `current`, `differs` or `missing`.
        record: the record that holds the number.
        counts: number of cases, by what they are: `n`, `n_undefined`, `n_failed` …
        cases: every case behind the number.
        upstream: of each variant that is involved.
        manifest: file and content hash of the manifest; None where it is not here.
        interval: how the interval was computed; None where the cell has none.
        measure: name, unit and direction of the measure.
        definition: its docstring; None for a measure that is not configured now.
        statistic: what the cell's field is, where it is not the measure's mean.
        stale: everything that has changed since the number was made.
    """

    place: Place
    form_states: Mapping[str, str]
    record: RecordPlace
    counts: Mapping[str, int]
    cases: tuple[CaseBehind, ...]
    upstream: tuple[Upstream, ...]
    manifest: tuple[str, str] | None
    interval: str | None
    measure: tuple[str, str, str]
    definition: Definition | None
    statistic: str
    stale: tuple[str, ...]


class Lineages:
    """Follows cells of one campaign back; what several cells rest on is read and hashed once.

    Args:
        campaign: whose tables they are.
        config: what declares the measures, for their definitions.
        primary: the variant that speaks for tables in which no variant is named.
    """

    def __init__(self, campaign: Campaign, config: MetricsConfig, primary: str) -> None:
        self._campaign, self._primary = campaign, primary
        self._declared = {measure.name: measure for measure in load_measures(config)}
        self._records = cache(_whole_file)
        self._upstream = cache(partial(_upstream, campaign))
        self._form_states = cache(partial(_form_states, campaign))
        self._hash_of = cache(_hash_where_present)
        self._stale_comparisons = stale_comparisons(campaign)
        self._manifest = _hashed(campaign)

    def of(self, place: Place) -> Lineage:
        """Follow a cell back.

        Raises:
            DataError: the metrics do not hold what the table shows, or are damaged.
        """
        record = self._record(place)
        involved = [str(record.record[name]) for name in ("variant_id", "against") if name in record.record]
        upstream = tuple(self._upstream(variant) for variant in involved)
        compared = "against" in record.record
        cases = tuple(self._cases(involved, place.measure))
        declared = self._declared.get(place.measure)
        stale = [reason for one in upstream for reason in one.stale] + self._stale_comparisons
        if (contradiction := _contradiction(record.record, place.measure, cases)) is not None:
            stale.append(contradiction)
        return Lineage(
            place=place,
            form_states=self._form_states(place.table),
            record=record,
            counts=_counts(record.record, place.measure),
            cases=cases,
            upstream=upstream,
            manifest=self._manifest,
            interval=_interval(record.record, place),
            measure=(place.measure, *((declared.unit, declared.better) if declared else ("", ""))),
            definition=definition_of(declared.definition) if declared else None,
            statistic=comparison_fields().get(place.field, "") if compared else "",
            stale=tuple(dict.fromkeys(stale)),
        )

    def _record(self, place: Place) -> RecordPlace:
        keys, campaign = place.keys, self._campaign
        if "against" in keys:
            path = campaign.comparisons_file
            wanted = {"variant_id": keys["variant"], "against": keys["against"], "measure": keys["measure"]}
        else:
            # A table of the conversations names no variant: any speaks for all, the primary one by choice.
            path = campaign.metrics_file(keys.get("variant") or self._primary)
            wanted = {"record_type": "variant_metrics"}
        records, digest = self._records(path)
        for line, record in enumerate(records, start=1):
            if all(record.get(name) == value for name, value in wanted.items()):
                return RecordPlace(campaign.relative(path), line, digest, record)
        sought = ", ".join(f"{name} {value}" for name, value in wanted.items())
        remedy = f"run {campaign.call('compute-metrics')}"
        raise DataError(f"holds no record with {sought}", where=str(path), remedy=remedy)

    def _cases(self, variants: Sequence[str], measure: str) -> Iterator[CaseBehind]:
        campaign = self._campaign
        per_variant = [self._case_records(variant) for variant in variants]
        for case_id in sorted(set.intersection(*(set(records) for records in per_variant))):
            records = [records[case_id] for records in per_variant]
            values = [record["measures"].get(measure) for record in records]
            paths = [campaign.trace_file(case_id), *(campaign.run_file(variant, case_id) for variant in variants)]
            files = {campaign.relative(path): self._hash_of(path) for path in paths}
            if any(record["status"] != OK for record in records):
                failed = any(record["status"] == FAILED_RUN for record in records)
                yield CaseBehind(case_id, None, "the replay failed" if failed else "no conversation", files)
            elif None in values:
                lacking = [variant for variant, value in zip(variants, values, strict=True) if value is None]
                yield CaseBehind(case_id, None, f"undefined under {' and '.join(lacking)}", files)
            else:
                value = values[0] if len(values) == 1 else round(values[0] - values[1], 6) + 0.0
                yield CaseBehind(case_id, value, "", files)

    def _case_records(self, variant: str) -> dict[str, _Record]:
        records, _ = self._records(self._campaign.metrics_file(variant))
        return {record["case_id"]: record for record in records if record.get("record_type") == "case_metrics"}


def lineage_of(campaign: Campaign, place: Place, config: MetricsConfig, primary: str) -> Lineage:
    """Follow one cell back; the arguments and errors are those of `Lineages`."""
    return Lineages(campaign, config, primary).of(place)


def _whole_file(path: Path) -> tuple[list[_Record], str]:
    return list(read_jsonl(path)), sha256_file(path)


def _hash_where_present(path: Path) -> str | None:
    return sha256_file(path) if is_stored(path) else None


def _counts(record: _Record, measure: str) -> dict[str, int]:
    if "against" in record:
        reasons = [case["reason"] for case in record["left_out"]]
        counted = {f"left out, {reason.replace('_', ' ')}": reasons.count(reason) for reason in sorted(set(reasons))}
        return {"n": record["n"], "without a difference": record["n_zero"], **counted}
    estimate = record["measures"].get(measure, {})
    return {
        "n": estimate.get("n", 0),
        "undefined": estimate.get("n_undefined", 0),
        "failed": record["n_failed"],
        "cases": record["n_cases"],
    }


def _contradiction(record: _Record, measure: str, cases: Sequence[CaseBehind]) -> str | None:
    """State how the record's mean is not that of the cases; None where it is, up to what rounding may do."""
    values = [case.value for case in cases if case.value is not None]
    recorded = record["mean_difference"] if "against" in record else record["measures"].get(measure, {}).get("mean")
    if not values or recorded is None:
        return None
    mean = finite(lambda: math.fsum(values) / len(values))
    if mean is not None and equal_as_rounded(recorded, mean, values):
        return None
    shown = "none" if mean is None else f"{mean:.6g}"
    return f"the mean of the cases is {shown}, and the record says {recorded:.6g}: one of them was edited"


def _upstream(campaign: Campaign, variant: str) -> Upstream:
    path = campaign.metrics_file(variant)
    metrics = read_variant(path)
    made_from = metrics.made_from
    stale = [] if made_from is None else [stale_traces(campaign, made_from), stale_runs(campaign, variant, made_from)]
    meta = read_meta(campaign, variant, any_case(campaign, variant)) if variant in present_variants(campaign) else None
    return Upstream(
        variant_id=variant,
        metrics_file=campaign.relative(path),
        metrics_sha256=sha256_file(path),
        made_from=made_from,
        n_runs=metrics.n_cases,
        run_config_hash=meta["config_hash"] if meta else None,
        stale=tuple(reason for reason in stale if reason),
    )


def _hashed(campaign: Campaign) -> tuple[str, str] | None:
    if not campaign.manifest_file.is_file():
        return None
    read_manifest(campaign.manifest_file)  # a damaged one is named, not hashed
    return campaign.relative(campaign.manifest_file), sha256_file(campaign.manifest_file)


def _form_states(campaign: Campaign, table: Table) -> dict[str, str]:
    states = {}
    for suffix, target in FORMATS.items():
        path = campaign.tables / f"{table.name}.{suffix}"
        rendered: str = load(target).render(table)
        states[campaign.relative(path)] = state_of(path, rendered.encode())
    return states


def state_of(path: Path, content: bytes) -> str:
    """Return whether a file holds what is wanted: `current`, `differs` or `missing`."""
    return "current" if holds(path, content) else "differs" if path.is_file() else "missing"


def _interval(record: _Record, place: Place) -> str | None:
    """State how the cell's interval came about, from the signature; None where it has none."""
    if not any("ci95" in name for name in place.values):
        return None
    resamples, _, seed = _of_signature(record["signature"], "boot").partition("/")
    what = "mean paired difference" if "against" in record else "mean"
    if not resamples.isdecimal():  # measured by another program, which did not note how
        return None
    return (
        f"95 % bootstrap percentile interval of the {what} over cases: {int(resamples):,} resamples, seed {seed}, one "
        "matrix of resamples shared by all measures and variants; cases that do not define the measure are left out"
    )


def _of_signature(signature: str, part: str) -> str:
    return next((word.partition(":")[2] for word in signature.split("|") if word.startswith(f"{part}:")), "")
