"""What stages 00, 02 and 03 check, and older records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conversations import ScriptedLLM, conversation
from exaid_evals.analysis.batches.log import log_batch_metrics
from exaid_evals.analysis.images.quality_filter import ImageQualityFilter
from exaid_evals.anomalies.change_point import change_indices
from exaid_evals.api.replays import _builder
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import RESTORE
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.metrics.noted import read_labels, read_references
from exaid_evals.metrics.registry import load_measures
from exaid_evals.middleware.gates import MessageGate
from exaid_evals.migration import trace_1_0_0
from exaid_evals.replay.engine import replay, stream_chunks
from factories import trace_records, write_campaign
from remedies.rows import Row

Change = Callable[[list[dict[str, Any]]], object]


def restored() -> None:
    """Write the small campaign as it was."""
    write_campaign(Path("data"))


def checked(remedy: str, change: Change, name: str = "traces/case-1000.jsonl.gz") -> Row:
    """Return the row of a record that `validate` refuses."""

    def spoil() -> None:
        restored()
        path = Path("data", name)
        records = read_jsonl(path)
        change(records)
        write_jsonl(path, records)

    return Row(remedy, f"validate data/{name}", before=spoil, does=(restored,))


def put(number: int, **fields: Any) -> Change:
    """Return a change of a record."""
    return lambda records: records[number].update(fields)


def records_of(*found: Any) -> list[tuple[int, Any]]:
    """Number records."""
    return list(enumerate(found, start=1))


RUN = "runs/V3/case-1000.jsonl.gz"
VALIDATED = [
    checked(RESTORE, put(0, content="x")),
    checked("name the file {}.jsonl.gz", put(0, case_id="case-1001", trace_id="trc-1001-000")),
    checked("keep one case a file", put(1, case_id="case-1001", trace_id="trc-1001-001")),
    checked("remove them, or say stub", lambda records: [one["metadata"].update(stub=False) for one in records]),
    checked("correct the record, or make the file again", put(0, category=5), "cases/cases.jsonl"),
    checked(RESTORE, put(0, content=5)),
    checked("upgrade exaid-evals", put(0, schema_version="99.0.0")),
    checked("keep one kind of record a file", put(1, schema_name="exaid.case", schema_version="1.0.0")),
    checked("remove it, or make it again", list.clear),
    checked("run `exaid-evals run-variants --force`", put(1, start_char=9, end_char=0), RUN),
    checked("run the variants again: the log is of other traces", put(0, trace_sha256="sha256:" + "0" * 64), RUN),
    checked("remove the run, or its folder's rest", lambda records: rename(records), RUN),
    checked(
        RESTORE,
        put(0, trace_dataset_hash="sha256:" + "0" * 64),
        "manifests/dataset_manifest.jsonl",
    ),
    checked(
        "keep the one that froze the traces",
        lambda records: records.append(records[0]),
        "manifests/dataset_manifest.jsonl",
    ),
    checked("give each an id of its own", lambda records: records.append(records[0]), "cases/cases.jsonl"),
    checked(
        "run `exaid-evals compute-metrics --force`",
        put(-1, n_cases=77),
        "metrics/V3.metrics.jsonl",
    ),
    checked(
        "export again with `exaid-evals export`",
        lambda records: records[0]["runs"].pop(),
        "exports/exported_summary.json",
    ),
    Row(
        "quote it and check it; record files end in .jsonl or .jsonl.gz",
        "validate 'data/none*'",
        "validate 'data/traces/*'",
        before=restored,
    ),
    Row("check the path", "validate data/nothing", "validate data/traces", before=restored),
    Row(
        "move or rename it",
        "validate data/cases",
        before=lambda: (restored(), Path("data/cases/x.jsonl").mkdir()),
        does=(lambda: Path("data/cases/x.jsonl").rmdir(),),
    ),
    Row(
        "remove the link",
        "validate data/cases",
        before=lambda: (restored(), Path("data/cases/up").symlink_to("../..")),
        does=(lambda: Path("data/cases/up").unlink(),),
    ),
]


def rename(records: list[dict[str, Any]]) -> None:
    """Let a run be of a case that nobody froze."""
    for record in records:
        for key, value in record.items():
            if isinstance(value, str):
                record[key] = value.replace("case-1000", "case-77")


class Stuck(MessageGate):
    """A gate whose timer stays where it is, unless it is mended."""

    one_message_at_a_time = False
    mended = False

    def deadline(self) -> int | None:
        """Return the first moment, for good or once."""
        return None if self.mended else 0

    def on_timer(self, t_ms: int) -> list[Any]:
        """Do nothing about it."""
        return []


class Mended(Stuck):
    """The same without a timer."""

    mended = True


def triggered(answer: str) -> object:
    """Replay a conversation with a trigger that answers so."""
    parts = {"gate": {"kind": "message"}, "trigger": {"kind": "llm"}, "summarizer": {"kind": "passthrough"}}
    variant = VariantConfig.model_validate({"variant_id": "T", "history_k": 0, **parts})
    return replay(conversation("Fever."), variant, ScriptedLLM([answer] * 4), chars_per_second=100.0)


YES = json.dumps({"completeness": True, "value": True, "novelty": True})
CORRECTED = (
    'write {"case_id", "concepts": [ids]} for what a conversation states and {"case_id", "variant_id", "concepts": '
    '[ids]} for what its updates state, or {"case_id", "variant_id", "measures": {"coverage": 0.6}} for both'
)
LABEL = {"case_id": "case-1", "variant_id": "V3", "measures": {"coverage": 0.6}}
MEASURED = [
    Row(
        "clear its deadline in on_timer",
        lambda: list(stream_chunks(conversation("a b"), Stuck(None), 9)),
        lambda: list(stream_chunks(conversation("a b"), Mended(None), 9)),
    ),
    Row(
        "use a model that follows JSON instructions; --retry-failed asks a live one anew",
        lambda: triggered("perhaps"),
        lambda: triggered(YES),
    ),
    Row(CORRECTED, lambda: read_labels(records_of({}), "l"), lambda: read_labels(records_of(LABEL), "l")),
    Row(
        CORRECTED,
        lambda: read_labels(records_of({"case_id": "case-1"}), "l"),
        lambda: read_labels(records_of(LABEL), "l"),
    ),
    Row(
        "give {} between 0 and 1",
        lambda: read_labels(records_of(LABEL | {"measures": {"coverage": 6}}), "l"),
        lambda: read_labels(records_of(LABEL), "l"),
    ),
    Row(
        'write {"case_id": "case-…", "reference": "…"} on each line',
        lambda: read_references(records_of({"case_id": "case-1"}), "n"),
        lambda: read_references(records_of({"case_id": "case-1", "reference": "Fever."}), "n"),
    ),
    Row(
        "keep one reference for each case",
        lambda: read_references(records_of(*[{"case_id": "case-1", "reference": "Fever."}] * 2), "n"),
        lambda: read_references(records_of({"case_id": "case-1", "reference": "Fever."}), "n"),
    ),
    Row(
        "return a list of `exaid_evals.metrics.base.Measure`",
        lambda: load_measures(MetricsConfig(measures=("remedies.own_parts:no_measures",))),
        lambda: load_measures(MetricsConfig(measures=("coverage",))),
    ),
    Row(
        "correct the time stamps",
        lambda: trace_1_0_0(trace_records()[0] | {"timestamp": "2020-01-01T00:00:00Z"}, trace_records()[0]),
        lambda: trace_1_0_0(trace_records()[1], trace_records()[0]),
    ),
    Row(
        "give a function (text, history) -> text, or an object or a class with summarize(request)",
        lambda: _builder(5),
        lambda: _builder(lambda text, _history: text),
    ),
    Row(
        "search in `Series.clean`, which holds the finite points",
        lambda: change_indices(np.array([1.0, np.nan])),
        lambda: change_indices(np.array([1.0, 2.0])),
    ),
    Row(
        "give one of them",
        lambda: log_batch_metrics(1, 1, {}, ["a"], images_paths=["a"]),
        lambda: log_batch_metrics(1, 1, {}, ["a"], folder=Path()),
    ),
    Row(
        "give pixels of 1 and more, degrees of 0 to 45, a threshold above 0",
        lambda: ImageQualityFilter(0),
        lambda: ImageQualityFilter(1),
    ),
    *(
        Row(
            remedy,
            lambda wrong=wrong: ImageQualityFilter().assess_image_quality(wrong),
            lambda: ImageQualityFilter().assess_image_quality(np.zeros((40, 40), np.uint8)),
        )
        for remedy, wrong in [
            ("give a path, an image of Pillow or an array", 5),
            ("give uint8, or floats of 0 to 1, of shape (height, width) or (height, width, 3 or 4)", np.zeros(5)),
            ("undo the normalisation, or give uint8", np.full((40, 40), 7.0)),
        ]
    ),
]

ROWS = [*VALIDATED, *MEASURED]
