"""Records as rows: what a DataFrame of each kind holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import FIELDS, ctu
from exaid_evals.config.plugins import optional
from exaid_evals.metrics.observation import Observation
from exaid_evals.metrics.records import CaseMetrics, Comparison
from exaid_evals.replay.run_log import RunLog
from exaid_evals.traces.model import Trace

STATED = "stated"
NEVER_STATED = "never_stated"
UNSUPPORTED = "unsupported"
ANTICIPATED = "anticipated"

_UPDATE = ("event_index", "event_id", "t_ms", "start_seq", "end_seq", "schema_ok", "schema_error", "summary_ctu")
_DECISION = ("decision_index", "flush_index", "t_ms", "decision", "latency_ms")
_FLUSH = ("flush_index", "t_ms", "start_seq", "end_seq", "start_char", "end_char", "ctu", "words", "reason")


class Measures(pd.DataFrame):
    """Columns `case_id`, `variant_id`, `measure`, `value`: one number a row, NaN where it is undefined."""

    @property
    def _constructor(self) -> type[Measures]:
        return Measures

    def wide(self) -> pd.DataFrame:
        """Return a row per case and variant and a column per measure, each in the order of the rows."""
        names = {name: list(dict.fromkeys(self[name])) for name in ("case_id", "variant_id", "measure")}
        table = pd.DataFrame(self).pivot(index=["case_id", "variant_id"], columns="measure", values="value")
        index = pd.MultiIndex.from_product([names["case_id"], names["variant_id"]], names=["case_id", "variant_id"])
        return table.reindex(index=index[index.isin(table.index)], columns=pd.Index(names["measure"], name="measure"))


def measures_frame(cases: Iterable[CaseMetrics], *, signature: str, stub: bool) -> Measures:
    """Return the measures of cases; a failed case has none. `attrs` hold `signature` and `stub`."""
    rows = [(case.case_id, case.variant_id, name, value) for case in cases for name, value in case.measures.items()]
    frame = Measures(rows, columns=["case_id", "variant_id", "measure", "value"]).astype({"value": "float64"})
    frame.attrs.update(signature=signature, stub=stub)
    return frame


def updates_frame(logs: Iterable[RunLog]) -> pd.DataFrame:
    """Return a row per update: when, of which messages, its six fields and texts, its CTU, usage and latency in ms."""
    rows = []
    for log in logs:
        for one in log.summaries:
            content = one.summary_content or {}
            rows.append(
                {
                    **_of(log),
                    **{name: getattr(one, name) for name in _UPDATE},
                    **{name: content.get(name) for name in FIELDS},
                    "semantics_text": one.semantics_text,
                    "rendered_text": one.rendered_text,
                    "latency_ms": one.latency_ms,
                    **_usage(one.llm_usage),
                }
            )
    columns = [*_IDS, *_UPDATE, *FIELDS, "semantics_text", "rendered_text", "latency_ms", *_USAGE]
    return pd.DataFrame(rows, columns=columns)


def decisions_frame(logs: Iterable[RunLog]) -> pd.DataFrame:
    """Return a row per decision of a trigger, with the filters that it asked: completeness, value, novelty."""
    filters = ("completeness", "value", "novelty")
    rows = [
        {
            **_of(log),
            **{name: getattr(one, name) for name in _DECISION},
            **{name: one.filters.get(name) for name in filters},
            **_usage(one.llm_usage),
        }
        for log in logs
        for one in log.decisions
    ]
    return pd.DataFrame(rows, columns=[*_IDS, *_DECISION, *filters, *_USAGE])


def flushes_frame(logs: Iterable[RunLog]) -> pd.DataFrame:
    """Return a row per chunk that left the gate, and why."""
    rows = [{**_of(log), **{name: getattr(one, name) for name in _FLUSH}} for log in logs for one in log.flushes]
    return pd.DataFrame(rows, columns=[*_IDS, *_FLUSH])


def messages_frame(traces: Iterable[Trace]) -> pd.DataFrame:
    """Return a row per message: who, when (ms since the case's first, missing where unknown), text and CTU."""
    rows = [
        (
            trace.case_id,
            seq,
            one.agent_id,
            one.t_rel_ms,
            one.end_t_rel_ms,
            one.time_basis,
            ctu(one.content),
            one.content,
        )
        for trace in traces
        for seq, one in enumerate(trace.messages)
    ]
    names = ["case_id", "sequence_num", "agent_id", "t_rel_ms", "end_t_rel_ms", "time_basis", "ctu", "content"]
    return pd.DataFrame(rows, columns=names).astype({"t_rel_ms": "Int64", "end_t_rel_ms": "Int64"})


def concepts_frame(seen: Iterable[tuple[str, str, Observation]], names: Mapping[str, str]) -> pd.DataFrame:
    """Return a row per case, variant and concept that was said or stated.

    Args:
        seen: case id, variant id, and what was observed.
        names: concept → preferred name; its id where it has none.

    Returns:
        Columns `case_id`, `variant_id`, `concept_id`, `name`, `status` (`stated` after it was said; `never_stated`;
        `anticipated`, stated before anybody said it and never again; `unsupported`, which nobody ever said),
        `said_ms`, `stated_ms` and `delay_ms` (virtual ms), `event_index` of the first update that states it, and
        `read_ctu`, what the clinician had read with that update.
    """
    rows = []
    for case_id, variant_id, one in seen:
        read = 0
        first: dict[str, tuple[int, int, int] | tuple[None, None, None]] = {}
        for index, update in enumerate(one.updates):
            read += update.ctu
            for concept in update.concepts:
                if one.reported_by.get(concept) is update or (concept not in first and concept not in one.reported_by):
                    first[concept] = (index, update.t_ms, read)
        for concept in sorted(one.trace_concepts | one.output_concepts):
            at, stated_ms, read_ctu = first.get(concept, (None, None, None))
            said_ms = one.stated_ms.get(concept)
            status = _status(concept, one)
            delay = stated_ms - said_ms if status == STATED and stated_ms is not None and said_ms is not None else None
            name = names.get(concept, concept)
            rows.append((case_id, variant_id, concept, name, status, said_ms, stated_ms, delay, at, read_ctu))
    times = ["said_ms", "stated_ms", "delay_ms", "event_index", "read_ctu"]
    frame = pd.DataFrame(rows, columns=["case_id", "variant_id", "concept_id", "name", "status", *times])
    return frame.astype(dict.fromkeys(times, "Int64"))


def comparisons_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return a row per variant and measure: the paired difference, its interval, p values, effect and n."""
    rows = [{**asdict(one), "left_out": len(one.left_out)} for one in comparisons]
    columns = [name for name in Comparison.__dataclass_fields__ if name not in ("stub", "signature", "made_from")]
    frame = pd.DataFrame(rows, columns=columns)
    if comparisons:
        frame.attrs.update(signature=comparisons[0].signature, stub=comparisons[0].stub)
    return frame


def write_parquet(frames: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each frame as `NAME.parquet`, its signature as a column, and return the files.

    Columns whose cells are of several kinds, as of settings, hold each as JSON.

    Raises:
        MissingDependencyError: pyarrow is not installed, or cannot load.
    """
    optional("pyarrow", "pyarrow", "writing Parquet")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in frames.items():
        signed = {"signature": frame.attrs["signature"]} if "signature" in frame.attrs else {}
        plain = pd.DataFrame(frame).assign(**signed)
        plain.attrs = {}  # not every version of the format holds them
        if not isinstance(plain.index, pd.RangeIndex):
            plain = plain.reset_index()
        for column in plain.select_dtypes(object):
            kinds = set(plain[column].dropna().map(type))
            if kinds & {dict, list, tuple} or (len(kinds) > 1 and kinds != {int, float}):
                plain[column] = plain[column].map(canonical_json, na_action="ignore")
        content = plain.to_parquet(index=False, engine="pyarrow")
        written.append(folder / f"{name}.parquet")
        write_bytes(written[-1], content)
    return written


_IDS = ("case_id", "variant_id")
_USAGE = ("prompt_ctu", "completion_ctu")


def _of(log: RunLog) -> dict[str, Any]:
    return {name: log.meta[name] for name in _IDS}


def _usage(usage: Mapping[str, int | None] | None) -> dict[str, int | None]:
    return {name: usage.get(name) if usage else None for name in _USAGE}


def _status(concept: str, seen: Observation) -> str:
    if concept in seen.reported_by:
        return STATED
    if concept not in seen.output_concepts:
        return NEVER_STATED
    return ANTICIPATED if concept in seen.trace_concepts else UNSUPPORTED
