"""What stages 00, 02 and 03 check, texts and ratings of people, logs per item, articles, and older records."""

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
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.export.report_pack import plan
from exaid_evals.metrics.corrected import read_labels
from exaid_evals.metrics.noted import read_references
from exaid_evals.metrics.registry import load_measures
from exaid_evals.middleware.gates import MessageGate
from exaid_evals.migration.files import trace_1_0_0
from exaid_evals.replay.engine import replay, stream_chunks
from factories import trace_records, write_campaign
from remedies.rows import Row, file

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
    checked(
        "restore the trace; or discard all: `exaid-evals make-traces --force` makes them again", put(0, content="x")
    ),
    checked("name the file {}.jsonl.gz", put(0, case_id="case-1001", trace_id="trc-1001-000")),
    checked("keep one case a file", put(1, case_id="case-1001", trace_id="trc-1001-001")),
    checked("remove them, or say stub", lambda records: [one["metadata"].update(stub=False) for one in records]),
    checked("correct the record, or make the file again", put(0, content=5)),
    checked("upgrade exaid-evals", put(0, schema_version="99.0.0")),
    checked("keep one kind of record a file", put(1, schema_name="exaid.case", schema_version="1.0.0")),
    checked("remove it, or make it again", list.clear),
    checked("run `exaid-evals run-variants --force`", put(1, start_char=9, end_char=0), RUN),
    checked("run the variants again: the log is of other traces", put(0, trace_sha256="sha256:" + "0" * 64), RUN),
    checked("remove the run, or its folder's rest", lambda records: rename(records), RUN),
    checked(
        "restore the manifest; or discard the traces: `exaid-evals make-traces --force` makes all again",
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
        "compute the metrics again with `exaid-evals compute-metrics --force`",
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

NOTE = '{"id": "a", "summary": "Fever.", "source": "He has fever."}\n'
RATINGS = "item,rater,rating\n" + "".join(
    f"i{n},r{r},{'yes' if (n * r) % 3 else 'no'}\n" for n in range(8) for r in (1, 2)
)
AGREEMENT = "agreement --human ratings.csv"
LONG = [
    file(
        'write {"id": …, "summary": "…", "source": "…", "reference": "…"} on each line; the last two may be absent',
        "notes notes.jsonl",
        "notes.jsonl",
        '{"id": "a"}\n',
        NOTE,
    ),
    file(
        'write {"id": …, "text": "…"} on each line',
        "concepts t.jsonl",
        "t.jsonl",
        '{"id": "a"}\n',
        '{"id": "a", "text": "Fever."}\n',
    ),
    file("save it as UTF-8", "concepts note.txt", "note.txt", b"Fi\xe8vre.", "Fever."),
    Row(
        "{}known are {}; your own goes by `module:attribute`",
        "concepts --extractor lexcon note.txt",
        "concepts --extractor lexicon note.txt",
        files={"note.txt": "Fever."},
    ),
]

PEOPLE = [
    file(
        "give columns item, rater, rating; or item and one column a rater",
        AGREEMENT,
        "ratings.csv",
        "a,b\n1,2\n",
        RATINGS,
    ),
    file("keep one of them", AGREEMENT, "ratings.csv", RATINGS + "i0,r1,yes\n", RATINGS),
    file("save it as UTF-8", AGREEMENT, "ratings.csv", RATINGS.encode() + b"\xe9", RATINGS),
    Row(
        "write numbers for {}, or leave out --level",
        f"{AGREEMENT} --level interval",
        AGREEMENT,
        files={"ratings.csv": RATINGS},
    ),
    Row(
        "write numbers for {}, or leave out --level",
        f"{AGREEMENT} --level interval",
        files={"ratings.csv": RATINGS},
        then={"ratings.csv": RATINGS.replace("yes", "1").replace("no", "0")},
    ),
    Row(
        "write numbers for {}, or leave out --measures",
        f"{AGREEMENT} --measures m.csv",
        AGREEMENT,
        files={"ratings.csv": RATINGS, "m.csv": "id,m\ni0,1\n"},
    ),
]

PREDICTIONS = "index,label,pred,loss\n" + "".join(f"{n},{n % 2},{(n * 7) % 3 % 2},0.{n}\n" for n in range(8))
TABLE = "inputs,score\na,1\nb,0\n"
COMPARED = "compare-logs one.csv two.csv"
LOGS = [
    file(
        "name logs of the same items",
        COMPARED,
        "two.csv",
        "index,label,pred,loss\n90,1,1,0.1\n91,0,1,0.1\n",
        PREDICTIONS,
        before=lambda: Path("one.csv").write_text(PREDICTIONS),
    ),
    Row("there are {}", f"{COMPARED} --metric f9", COMPARED, files={"one.csv": PREDICTIONS, "two.csv": PREDICTIONS}),
    Row(
        "check the path",
        "compare-logs one.csv nothing.csv",
        COMPARED,
        files={"one.csv": PREDICTIONS, "two.csv": PREDICTIONS},
    ),
    file(
        "known are {}",
        COMPARED,
        "two.csv",
        "a\n1\n",
        PREDICTIONS,
        before=lambda: Path("one.csv").write_text(PREDICTIONS),
    ),
    file(
        "there are {}",
        COMPARED,
        "two.csv",
        "inputs,b\na,x\nb,y\n",
        TABLE,
        before=lambda: Path("one.csv").write_text(TABLE),
    ),
    file(
        "wait for its end, or leave it out",
        COMPARED,
        "two.csv",
        "inputs,score\n",
        TABLE,
        before=lambda: Path("one.csv").write_text(TABLE),
    ),
]


def packed() -> object:
    """Plan what of an export goes into an article."""
    return plan(Path("export"), Path("article"))


def article(remedy: str, wrong: str | bytes, right: str = "% exaid:begin main\n% exaid:end\n") -> Row:
    """Return the row of an article whose markers are at fault."""
    return Row(
        remedy,
        packed,
        files={"export/tables/main.tex": "a & b\n", "article/a.tex": wrong},
        then={"article/a.tex": right},
    )


ARTICLES = [
    article("save it as UTF-8", "x".encode("utf-16")),
    article("end the one before the other begins", "% exaid:begin main\n% exaid:begin other\n% exaid:end\n"),
    article("remove one of them", "% exaid:begin main\n% exaid:end\n" * 2),
    article("remove the line, or write `% exaid:begin NAME` above", "% exaid:end\n"),
    article("end each block before the next", "% exaid:begin main\n% exaid:end other\n"),
    article("write `% exaid:begin NAME` or `% exaid:end`", "% exaid:start main\n"),
    article("write `% exaid:end` below it", "% exaid:begin main\n"),
    article("there are {}", "% exaid:begin mian\n% exaid:end\n"),
    Row(
        "name the article's folder",
        lambda: plan(Path("export"), Path("export")),
        packed,
        files={"export/tables/main.tex": "a\n", "article/a.tex": "x\n"},
    ),
    Row(
        "check the path",
        lambda: plan(Path("export"), Path("nothing")),
        packed,
        files={"export/tables/main.tex": "a\n", "article/a.tex": "x\n"},
    ),
    Row(
        "name the folder that `exaid-evals export` wrote, or a campaign's",
        packed,
        files={"export/x": "", "article/a.tex": "x\n"},
        then={"export/tables/main.tex": "a\n"},
    ),
    Row(
        "write the whole name",
        packed,
        files={
            "export/tables/one/main.tex": "a\n",
            "export/tables/two/main.tex": "a\n",
            "article/a.tex": "% exaid:begin main\n% exaid:end\n",
        },
        then={"article/a.tex": "% exaid:begin one/main\n% exaid:end\n"},
    ),
    Row(
        "give the command without --check",
        "report-pack --from export --to article --check",
        "report-pack --from export --to article",
        files={"export/tables/main.tex": "a\n", "article/a.tex": "% exaid:begin main\n% exaid:end\n"},
    ),
]

ROWS = [*VALIDATED, *MEASURED, *PEOPLE, *LOGS, *ARTICLES]
