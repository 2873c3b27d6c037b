"""Campaigns that are verified, viewed, read as runs and planned, and reports of analyses."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from conversations import conversation, freeze
from exaid_evals import open_campaign
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.cli import verify
from exaid_evals.cli.explain import ViewRequest, run_view
from exaid_evals.cli.main import run as command_line
from exaid_evals.concepts.scispacy import SciSpacyExtractor, Settings
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import Shard
from exaid_evals.config.requests import PlanRequest, RunsRequest
from exaid_evals.export.reading import read_runs
from exaid_evals.viewer.serve import Server
from factories import metrics_records
from remedies.of_artifacts import PNG
from remedies.of_records import FRESH
from remedies.of_runs import HISTORY, TWO
from remedies.of_stages import FORCE, a_run, spoilt
from remedies.of_texts import PREDICTIONS
from remedies.rows import Row
from stub_campaigns import change_record

COMPUTE, VIEW, AS_IS = (
    "compute-metrics --data-dir data",
    "view --data-dir data",
    "verify --as-is --against data --data-dir data",
)
BUSY = "busy"


def taken() -> None:
    """Listen at a port, and ask for it."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        Path(BUSY).write_text(str(held.getsockname()[1]))
        serving(held.getsockname()[1])


def serving(port: int) -> None:
    """Serve a campaign, and end at once."""
    with mock.patch.object(Server, "serve_forever", side_effect=KeyboardInterrupt):
        run_view(ViewRequest(serve=True, port=port, data_dir=Path("data")))


def elsewhere() -> Path:
    """Ask for the expected hashes where there is no checkout."""
    with mock.patch.object(verify, "checkout_root", return_value=None):
        return verify._expected_dir()


def pipeline(with_entities: bool) -> None:
    """Write a pipeline of spaCy."""
    import spacy

    made = spacy.blank("en")
    if with_entities:
        made.add_pipe("ner").add_label("ENTITY")
        made.initialize()
    made.to_disk("model")


def extractor() -> object:
    """Load it as an extractor."""
    return SciSpacyExtractor(Settings(model="./model"), frozenset())


def reported(remedy: str, command: str, record: str, files: Mapping[str, Any]) -> Row:
    """Return the row of a report that somebody has written into, and that is made again."""

    def before() -> None:
        assert command_line(command.split()) == 0
        path = Path(record)
        path.write_text(path.read_text().replace('"schema_name"', '"nonsense":1,"schema_name"', 1))

    return Row(remedy, f"validate {record}", before=before, does=(command,), files=files)


def live_without_recording() -> None:
    """Freeze a conversation that nobody simulated, and replay it."""
    campaign = freeze(Path("data"), [conversation("Fever.")])
    change_record(campaign.manifest_file, 1, lambda record: record.update(stub=False))


def without_ledger(campaign: Campaign) -> None:
    """Take the ledgers away, as they are where a campaign was handed on without them."""
    for path in campaign.state.glob("*.jsonl"):
        path.unlink()


def exchanged(campaign: Campaign) -> None:
    """Let metrics be of another version, by which the other case has the lower coverage."""
    without_ledger(campaign)
    path = campaign.metrics_file("V1")
    first, second, whole = read_jsonl(path)
    of_first, of_second = (one["measures"]["coverage"] for one in (first, second))
    assert of_first != of_second
    first["measures"]["coverage"], second["measures"]["coverage"] = of_second, of_first
    write_jsonl(path, [first, second, whole])


def measured_apart() -> None:
    """Let each variant be measured on other cases."""
    FRESH()
    for variant, cases in (("V0", ("case-1000", "case-1001")), ("V3", ("case-1002", "case-1003"))):
        write_jsonl(Path(f"data/metrics/{variant}.metrics.jsonl"), metrics_records(variant, cases=cases))


LABELS = "data/metrics/corrected.jsonl"


def labelled() -> None:
    """Label the cases of a variant, correct its measures by that, and spoil what came of it."""
    case_ids = [record["case_id"] for record in read_jsonl(Path("data/metrics/V3.metrics.jsonl"))[:-1]]
    labels = [{"case_id": one, "variant_id": "V3", "measures": {"coverage": 0.5}} for one in case_ids]
    write_jsonl(Path("labels.jsonl"), labels)
    assert command_line(BY_LABELS.split()) == 0
    write_jsonl(Path(LABELS), read_jsonl(Path(LABELS)) * 2)


BY_LABELS = f"{COMPUTE} --labels labels.jsonl"
CONFIG = {"c/mas_generation.yaml": "stub: {failure_rate: 1.0}\n", "c/dataset.yaml": "on_failure: raise\n"}
SHARD = {"shard": Shard(1, 2), "into": Path("p1")}
ROWS = [
    Row("name a folder of them, or another campaign, with --against", elsewhere, AS_IS, before=FRESH),
    Row("verify each of the runs, and export them again", f"{AS_IS} --stages 04", AS_IS, before=FRESH),
    Row("name another, or 0 for a free one", taken, partial(serving, 0), before=FRESH),
    Row(
        "leave it out: --jobs says how many cases are asked about at the same time",
        lambda: RunsRequest(**SHARD).require_simulated(simulated=False),
        lambda: RunsRequest().require_simulated(simulated=False),
    ),
    Row(
        "take one of {}",
        lambda: PlanRequest(llm="own:client").require_macs_client(),
        lambda: PlanRequest(llm="replay").require_macs_client(),
    ),
    Row(
        "the traces made so far are kept; remove the cause, or set `on_failure: log_stub`",
        "make-traces --stub --source small_cases:load --n-cases 1 --data-dir new --config-dir c",
        files=CONFIG,
        then={"c/dataset.yaml": "on_failure: log_stub\n"},
        leaves=3,
    ),
]
COMPARISONS = "data/metrics/comparisons.metrics.jsonl"
LONG = [
    Row(
        "run `exaid-evals {}` with several variants",
        lambda: open_campaign("data").comparisons(),
        before=lambda: Path(COMPARISONS).unlink(),
        does=(COMPUTE,),
        data=True,
    ),
    Row(
        "run `exaid-evals compute-metrics`",
        lambda: read_runs([Path("data")]),
        before=spoilt(lambda one: change_record(a_run(one), 1, lambda record: record.update(versions={}))),
        does=(COMPUTE,),
        data=True,
    ),
    Row(
        "run `exaid-evals run-variants` and `exaid-evals compute-metrics`",
        lambda: read_runs([Path("data")]),
        before=lambda: command_line(f"{FORCE} --seed 7".split()),
        does=("run-variants --stub --data-dir data", COMPUTE),
        data=True,
    ),
    Row(
        "run {}, or name the same --config-dir and --extractor",
        f"{VIEW} --extractor words",
        VIEW,
        data=True,
    ),
    Row(
        "run {} with the same configuration as this",
        VIEW,
        before=spoilt(exchanged),
        does=(COMPUTE,),
        data=True,
    ),
    Row(
        "run {} over all variants",
        VIEW,
        before=measured_apart,
        does=(f"{COMPUTE} --force",),
    ),
    Row(
        "verify what is made from them: --from 02",
        "verify --data-dir data --source mac",
        "verify --data-dir data --source mac --from 02",
        before=live_without_recording,
        does=("run-variants V0 --stub --data-dir data",),
    ),
    Row(
        "give the folder that nlp.to_disk(…) wrote with spaCy 3.7",
        extractor,
        does=(lambda: pipeline(True),),
        files={"model/x": ""},
    ),
    Row(
        "name a pipeline that has one, such as en_core_sci_sm",
        extractor,
        before=lambda: pipeline(False),
        does=(lambda: pipeline(True),),
    ),
    reported(
        "analyse the run again with `exaid-evals analyze`",
        "analyze --run-name first.csv --output-dir out",
        "out/first/summary.json",
        files={"first.csv": HISTORY},
    ),
    reported(
        "analyse the runs again with `exaid-evals impact`",
        "impact a.csv b.csv --output-dir out",
        "out/impact.json",
        files=TWO,
    ),
    reported(
        "compare the runs again with `exaid-evals compare`",
        "compare a.csv b.csv --output-dir out",
        "out/comparison.json",
        files=TWO,
    ),
    reported(
        "compare the logs again with `exaid-evals compare-logs`",
        "compare-logs one.csv two.csv --out out",
        "out/log_comparison.json",
        files={"one.csv": PREDICTIONS, "two.csv": PREDICTIONS},
    ),
    reported(
        "audit the images again with `exaid-evals audit-images`",
        "audit-images pictures --out out",
        "out/images.jsonl",
        files={"pictures/a.png": PNG},
    ),
    Row(
        "compute them again with `exaid-evals compute-metrics --labels`",
        f"validate {LABELS}",
        before=labelled,
        does=(BY_LABELS,),
        data=True,
    ),
]
