"""The stages over a campaign: what is missing, changed or contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exaid_evals import open_campaign
from exaid_evals.artifacts.manifest import RESTORE
from exaid_evals.artifacts.storage import pack
from exaid_evals.config.campaign import Campaign
from remedies.of_runs import HISTORY
from remedies.rows import Row
from stub_campaigns import change_byte, change_record

FORCE = "make-traces --stub --source small_cases:load --n-cases 12 --limit 2 --data-dir data --force"
TRACES = "make-traces --stub --source small_cases:load --n-cases {} --data-dir {}"


def spoilt(spoil: Callable[[Campaign], object]) -> Callable[[], object]:
    """Return what spoils the campaign of the folder `data`."""
    return lambda: spoil(Campaign(Path("data").resolve()))


def a_run(campaign: Campaign, variant: str = "V3") -> Path:
    """Return a run log."""
    return next((campaign.runs / variant).glob("case-*.jsonl.gz"))


def run_pack() -> None:
    """Pack the campaign's traces."""
    pack(Path("data/traces").resolve(), "case-*.jsonl.gz")


SMALL = [
    Row(
        "known are {}",
        "run-variants V9 --stub --data-dir data --dry-run",
        "run-variants V0 --stub --data-dir data --dry-run",
        data=True,
    ),
    Row("take fewer, or `mode: all`", TRACES.format(50, "new"), TRACES.format(1, "new")),
    Row("did you mean {}?", TRACES.format("1 --cases case-t99", "new"), TRACES.format("1 --cases case-t09", "new")),
    Row(
        "take `source: mac`, or simulate the conversation with --stub (EXAID_STUB_MODE=1)",
        TRACES.format(1, "new").replace(" --stub", ""),
        environment={"EXAID_STUB_MODE": "1"},
    ),
    Row(
        "--force makes them again; another --data-dir leaves them alone",
        TRACES.format(1, "data"),
        TRACES.format(1, "new"),
        data=True,
    ),
    Row(
        "--force makes them again; another --data-dir leaves them alone",
        TRACES.format(1, "data"),
        TRACES.format(1, "data --force"),
        data=True,
    ),
    Row(
        "leave out --stub and unset EXAID_STUB_MODE, or leave out --llm",
        "run-variants V0 --stub --llm replay --data-dir data --dry-run",
        "run-variants V0 --stub --data-dir data --dry-run",
        data=True,
    ),
    Row(
        "run `exaid-evals make-traces`",
        "run-variants V0 --stub --data-dir new --dry-run",
        does=(TRACES.format(1, "new"),),
    ),
    Row(
        "{}known are {}; your own goes by `module:attribute`",
        "compute-metrics --measures nix --data-dir data --dry-run",
        "compute-metrics --measures coverage --data-dir data --dry-run",
        data=True,
    ),
    Row(
        "did you mean {}? {}",
        "explain mian V3 coverage --data-dir data",
        "explain main V3 coverage --data-dir data",
        data=True,
    ),
    Row(
        "there are {}",
        "explain main V9 coverage --data-dir data",
        "explain main V3 coverage --data-dir data",
        data=True,
    ),
    Row(
        "give both: --shard 2/8 --into FOLDER, a folder for this part alone",
        "run-variants V0 --stub --data-dir data --dry-run --shard 1/2",
        "run-variants V0 --stub --data-dir data --dry-run --shard 1/2 --into p1",
        data=True,
    ),
    Row(
        "name a folder for this part alone",
        "run-variants V0 --stub --data-dir data --dry-run --shard 1/2 --into data",
        "run-variants V0 --stub --data-dir data --dry-run --shard 1/2 --into p1",
        data=True,
    ),
    Row("give both, or none", "plan --stub --data-dir data --price-input 1", "plan --stub --data-dir data", data=True),
    Row(
        "give one of them",
        "reproduce --stub --data-dir new --seed 1 --seeds '1 2' --dry-run",
        "reproduce --stub --source small_cases:load --n-cases 1 --data-dir new --seed 1 --dry-run",
    ),
    Row(
        "leave them out",
        "verify --write-expected --as-is --data-dir data",
        "verify --as-is --against data --data-dir data",
        data=True,
    ),
    Row(
        "add --expected, or --against FOLDER",
        "verify --as-is --data-dir data",
        "verify --as-is --against data --data-dir data",
        data=True,
    ),
    Row(
        "name one with --data-dir, or leave out --as-is to make the one of --against again",
        "verify --as-is --against data --data-dir new",
        "verify --as-is --against data --data-dir data",
        data=True,
    ),
    Row(
        "name a campaign, or expected hashes",
        "verify --as-is --against nothing --data-dir data",
        "verify --as-is --against data --data-dir data",
        data=True,
    ),
    Row(
        "run `exaid-evals unpack` first",
        "migrate --data-dir data",
        "migrate --data-dir data",
        does=("unpack --data-dir data",),
        before=run_pack,
        data=True,
    ),
    Row(
        "run `exaid-evals unpack` first",
        "verify --as-is --against data --data-dir data",
        does=("unpack --data-dir data",),
        before=run_pack,
        data=True,
    ),
    Row(
        "run `exaid-evals unpack` first, or name another --data-dir",
        FORCE,
        does=("unpack --data-dir data",),
        before=run_pack,
        data=True,
    ),
    Row(
        RESTORE,
        "run-variants V0 --stub --data-dir data --dry-run",
        before=spoilt(lambda one: change_byte(next(one.traces.glob("case-*.jsonl.gz")), b"patient", b"Patient")),
        does=(FORCE,),
        data=True,
    ),
    Row(
        "--force replaces them; another --data-dir leaves them alone",
        TRACES.format(1, "data"),
        TRACES.format(1, "data --force"),
        before=spoilt(lambda one: (one.manifest_file.unlink(), [path.unlink() for path in one.state.glob("*")])),
        data=True,
    ),
]

NAMED = [
    Row(
        "keys come from the environment; others may have read this one: replace it at the provider",
        "run-variants V0 --stub --data-dir data --dry-run --model sk-planted0123456789abcdef0123456789",
        "run-variants V0 --stub --data-dir data --dry-run",
        data=True,
    ),
    Row(
        "there is {}, the first less the second: its sign is the other one",
        "explain comparisons coverage/V3/V0 difference --data-dir data",
        "explain comparisons coverage/V0/V3 difference --data-dir data",
        data=True,
    ),
    Row(
        "they give {}; run {} over more variants",
        "explain coverage_gold V3 coverage --data-dir data",
        "explain main V3 coverage --data-dir data",
        data=True,
    ),
    Row(
        "run {}; there are runs of {}",
        lambda: open_campaign("data").measures("V9"),
        lambda: open_campaign("data").measures("V3"),
        data=True,
    ),
    Row(
        "add slack_webhook or email under alerts, in the file that --config names",
        "monitor --test-alerts --config c.yaml",
        "monitor log.csv --config c.yaml",
        files={"c.yaml": "experiment_name: x\n", "log.csv": HISTORY},
    ),
    Row(
        "name one with --metric, and say with --better NAME=higher or --better NAME=lower",
        "impact --runs a.csv,b.csv --output-dir out",
        "impact --runs a.csv,b.csv --metric odd --better odd=lower --output-dir out",
        files={"a.csv": HISTORY.replace("loss", "odd"), "b.csv": HISTORY.replace("loss", "odd").replace("0.", "0.1")},
    ),
    Row(
        "a training run needs {}{}: write at the end of training what lacks, or leave the run out",
        "export --run results_1 --out out",
        "export --run run --out out",
        files={"results_1/summary.json": "{}", "run/metrics.csv": HISTORY},
    ),
    Row(
        "restore the folder, or make it again with `exaid-evals verify --write-expected`",
        "verify --expected --against data/traces --data-dir data",
        "verify --as-is --against data --data-dir data",
        data=True,
    ),
]

LONG = [
    Row(
        "name openai, replay or your own client",
        "notes n.jsonl --judge stub",
        "notes n.jsonl",
        files={"n.jsonl": '{"id": "a", "summary": "Fever.", "source": "He has fever."}\n'},
    ),
    Row(
        "run {}, or name cases with --limit or --cases",
        "compute-metrics --data-dir data",
        before=spoilt(lambda one: a_run(one).unlink()),
        does=("run-variants V3 --stub --data-dir data",),
        data=True,
    ),
    Row(
        "run {}",
        "report --data-dir data",
        before=spoilt(lambda one: [path.unlink() for path in one.metrics.glob("*.metrics.jsonl")]),
        does=("compute-metrics --data-dir data",),
        data=True,
    ),
    Row(
        "run `exaid-evals run-variants --force`",
        "compute-metrics --force --data-dir data",
        before=spoilt(lambda one: change_record(a_run(one), 2, lambda record: record.update(end_char=100_000))),
        does=("run-variants V3 --stub --force --data-dir data",),
        data=True,
    ),
    Row(
        "run `exaid-evals run-variants {} --cases {} --force`",
        "compute-metrics --force --data-dir data",
        before=spoilt(
            lambda one: change_record(a_run(one), 1, lambda record: record.update(trace_sha256="sha256:" + "0" * 64))
        ),
        does=("run-variants V3 --stub --force --data-dir data",),
        data=True,
    ),
]


ROWS = [*SMALL, *NAMED]
