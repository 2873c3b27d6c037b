"""Measuring cases, one after the other with one extractor; on disk, so that an interrupted stage goes on from them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from exaid_evals.artifacts.atomic import Appended, write_bytes
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS, canonical_bytes
from exaid_evals.artifacts.jsonl import parse_line, scan_jsonl
from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.concepts.base import Extractor
from exaid_evals.concepts.registry import load_extractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.measures.coverage import coverage_curve
from exaid_evals.metrics.noted import NoteMeasures
from exaid_evals.metrics.observation import Observation
from exaid_evals.metrics.observe import observe_case
from exaid_evals.metrics.records import (
    COVERAGE_CURVE,
    FAILED_RUN,
    SKIPPED_FAILED_TRACE,
    CaseMetrics,
    case_of_record,
)
from exaid_evals.metrics.registry import load_measures
from exaid_evals.replay.clock import arrivals, require_within
from exaid_evals.replay.guard import GuardedExtractor, part
from exaid_evals.replay.kept_concepts import KeptConcepts
from exaid_evals.replay.run_log import RunLog, read_run
from exaid_evals.traces.model import Trace, read_trace


class Measured:
    """The measured cases of some variants, in a file of each; those of other inputs are discarded.

    Args:
        campaign: in whose ledgers' folder the files lie.
        inputs: variant → fingerprint of all that its measures depend on.
    """

    def __init__(self, campaign: Campaign, inputs: Mapping[str, str]) -> None:
        folder = campaign.state / "measured"
        self._paths = {variant: folder / f"{variant}.jsonl" for variant in inputs}
        self._files = {variant: Appended(path) for variant, path in self._paths.items()}
        known = [self._opened(path, inputs[variant]) for variant, path in self._paths.items()]
        self.known: frozenset[str] = frozenset.intersection(*known) if known else frozenset()
        """Ids of the cases that are measured under each variant."""

    @staticmethod
    def _opened(path: Path, inputs: str) -> frozenset[str]:
        opening = canonical_bytes({"inputs": inputs}) + b"\n"
        lines = scan_jsonl(path) if path.exists() else iter(())
        first = next(lines, None)
        if first is None or first.value != {"inputs": inputs}:
            write_bytes(path, opening)
            return frozenset()
        found = [line.value["case_id"] if line.value else None for line in lines]
        if None in found:  # the end of a killed one's
            whole = [line.value for line in scan_jsonl(path) if line.value is not None]
            write_bytes(path, b"".join(canonical_bytes(value) + b"\n" for value in whole))
        return frozenset(case_id for case_id in found if case_id is not None)

    def add(self, lines: Mapping[str, bytes]) -> None:
        """Note the line of a case under each variant."""
        for variant, line in lines.items():
            self._files[variant].append(line)

    def read(self, variant: str) -> CaseLines:
        """Return a variant's cases by id, each once."""
        return CaseLines(self._paths[variant])


class CaseLines:
    """The lines of measured cases in a file, by id as metrics have them: resample b then draws the same cases in each.

    Each is read when its turn comes.
    """

    def __init__(self, path: Path) -> None:
        """Find where they begin.

        Args:
            path: a line of it that holds no case is the first, or what a killed stage left.
        """
        self._path = path
        starts: dict[str, int] = {}
        start = 0
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                value = parse_line(line.rstrip(b"\n"), number).value
                if value and "case_id" in value:
                    starts[value["case_id"]] = start
                start += len(line)
        self._starts = array("q", [starts[case_id] for case_id in sorted(starts)])

    def __iter__(self) -> Iterator[bytes]:
        """Yield them with their ends."""
        with self._path.open("rb") as stream:
            for start in self._starts:
                stream.seek(start)
                yield stream.readline()

    def cases(self) -> Iterator[CaseMetrics]:
        """Yield what they hold."""
        return (case_of_record(orjson.loads(line)) for line in self)


def discard_measured(campaign: Campaign, variants: Iterable[str]) -> None:
    """Remove the cases of variants whose metrics are written, those that a stage killed at its very end left too."""
    folder = campaign.state / "measured"
    for variant in variants:
        (folder / f"{variant}.jsonl").unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


@dataclass(frozen=True, slots=True)
class Measuring:
    """What workers are given once.

    Attributes:
        root: the campaign's folder.
        config: what to measure.
        stop_entities: names that are never concepts.
        trace_dataset_hash: of the frozen traces, which every run must name.
        references: case → its clinician's note, of cases that have one.
        fresh: whether to read every text anew, whatever was found in it before.
    """

    root: Path
    config: MetricsConfig
    stop_entities: frozenset[str]
    trace_dataset_hash: str
    references: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case: its line under each variant, or what kept it from being measured."""

    case_id: str
    lines: Mapping[str, bytes] = field(default_factory=dict)
    problem: DataError | CaseFailedError | None = None


class Measurer:
    """Measures cases one after the other.

    Args:
        measuring: what to measure.
        variants: the variants to measure in each case.
        as_line: makes a line of a case's metrics.
        extractor: as `measuring` names it, where the caller has loaded it already.
    """

    def __init__(
        self,
        measuring: Measuring,
        variants: Sequence[str],
        as_line: Callable[[CaseMetrics], bytes],
        extractor: Extractor | None = None,
    ) -> None:
        self._variants, self._as_line = variants, as_line
        self._measuring = measuring
        self._campaign = Campaign(measuring.root)
        extractor = extractor or load_measuring_extractor(measuring.config, measuring.stop_entities)
        self._measure = CaseMeasurer(measuring.config, extractor, measuring.stop_entities, measuring.references)
        self._kept = KeptConcepts(extractor, measuring.config.extractor.name, fresh=measuring.fresh)

    def __call__(self, entry: TraceEntry) -> CaseResult:
        """Measure one case; what is wrong with its data is returned, not raised."""
        try:
            metrics = self._measured(entry)
        except (DataError, CaseFailedError) as error:
            return CaseResult(entry.case_id, problem=error)
        return CaseResult(entry.case_id, {one.variant_id: self._as_line(one) for one in metrics})

    def _measured(self, entry: TraceEntry) -> list[CaseMetrics]:
        variants, dataset_hash = self._variants, self._measuring.trace_dataset_hash
        logs = [read_checked_run(self._campaign, variant, entry, dataset_hash) for variant in variants]
        if entry.failed:
            return [CaseMetrics(entry.case_id, variant, SKIPPED_FAILED_TRACE) for variant in variants]
        trace = read_trace(self._campaign.trace_file(entry.case_id))
        for variant, log in zip(variants, logs, strict=True):
            require_within(trace, log, where=str(self._campaign.run_file(variant, entry.case_id)))
        found = self._kept.of(entry.sha256, self._measure.guarded(entry.case_id))
        metrics = self._measure(trace, logs, found)
        self._kept.save(found)
        return metrics


def read_checked_run(campaign: Campaign, variant: str, entry: TraceEntry, dataset_hash: str) -> RunLog:
    """Read a run log, and require that it was made from the trace that is frozen here.

    Raises:
        DataError: it is missing or damaged, or is of another trace.
    """
    path = campaign.run_file(variant, entry.case_id)
    log = read_run(path)
    expected = {
        "case_id": entry.case_id,
        "variant_id": variant,
        "trace_sha256": entry.sha256,
        "trace_dataset_hash": dataset_hash,
    }
    wrong = [name for name, value in expected.items() if log.meta[name] != value]
    if wrong or log.skipped != entry.failed:
        raise DataError(
            f"was not made from this campaign's trace ({', '.join(wrong) or 'status'} differs)",
            where=str(path),
            remedy=f"run `exaid-evals run-variants {variant} --cases {entry.case_id} --force`",
        )
    return log


def load_measuring_extractor(config: MetricsConfig, stop_entities: frozenset[str]) -> Extractor:
    """Return the extractor that a configuration names.

    Raises:
        ConfigError: it is unknown, misconfigured, or not installed.
    """
    return load_extractor(config.extractor.name, config.extractor.settings, stop_entities=stop_entities)


class CaseMeasurer:
    """Measures the runs of a case.

    Args:
        config: what to measure.
        extractor: finds concepts.
        stop_entities: names that are never concepts.
        references: case → its clinician's note, of cases that have one.
    """

    def __init__(
        self,
        config: MetricsConfig,
        extractor: Extractor,
        stop_entities: frozenset[str],
        references: Mapping[str, str] | None = None,
    ) -> None:
        self._config, self._extractor = config, extractor
        self._measures = load_measures(config)
        self._references = references or {}
        self._noted = NoteMeasures(config, extractor, stop_entities)

    def guarded(self, case_id: str) -> Extractor:
        """Return the extractor, whose failures are those of a case."""
        return GuardedExtractor(self._extractor, self._config.extractor.name, case_id)

    def __call__(self, trace: Trace, logs: Sequence[RunLog], found: Extractor | None = None) -> list[CaseMetrics]:
        """Return the metrics of a case's runs, in their order; a run that failed has its reason alone.

        Args:
            trace: what was said.
            logs: what the variants made of it.
            found: the extractor, where somebody remembers what it found.

        Raises:
            CaseFailedError: an extractor or a measure of somebody's own failed.
        """
        whole = [log for log in logs if not log.failed]
        found = found or self.guarded(trace.case_id)
        observed = iter(self._with_notes(trace, whole, observe_case(trace, whole, found)))
        metrics = []
        for log in logs:
            variant = str(log.meta["variant_id"])
            if log.failed:
                one = CaseMetrics(trace.case_id, variant, FAILED_RUN, failure_reason=log.meta["failure_reason"])
            else:
                one = self._metrics(trace.case_id, variant, next(observed))
            metrics.append(replace(one, time_basis=trace.time_basis))
        return metrics

    def _with_notes(self, trace: Trace, logs: Sequence[RunLog], observed: Sequence[Observation]) -> list[Observation]:
        """Return observations with what is measured against references and statements; as they are without either."""
        if not self._noted.wanted:
            return list(observed)
        reference = self._references.get(trace.case_id)
        speeds = [float(log.meta["config"]["stream"]["chars_per_second"]) for log in logs]
        return [
            replace(seen, noted=self._noted(trace, arrivals(trace, speed), seen, reference))
            for seen, speed in zip(observed, speeds, strict=True)
        ]

    def _metrics(self, case_id: str, variant: str, seen: Observation) -> CaseMetrics:
        config = self._config
        curve = coverage_curve(seen, config.curve_budgets, config.budget_policy)
        return CaseMetrics(
            case_id,
            variant,
            measures=_measured(self._measures, seen, case_id, variant),
            curves={COVERAGE_CURVE: [_rounded(COVERAGE_CURVE, value) for value in curve]},
        )


def _measured(measures: Sequence[Measure], seen: Observation, case_id: str, variant: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for measure in measures:
        try:
            found[measure.name] = _rounded(measure.name, measure.compute(seen))
        except Exception:
            with part(variant, "measure", measure.name, case_id):
                raise
    return found


def _rounded(name: str, value: float | None) -> float | None:
    """Round as files do, so that means over cases can be had again from the cases' records."""
    if isinstance(value, bool):
        raise TypeError(f"the measure {name} gave {value}, and must give a number or None")
    if value is None or isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise ValueError(f"the measure {name} gave {value}; return None for what is undefined")
    return round(float(value), FLOAT_DECIMALS) + 0.0
