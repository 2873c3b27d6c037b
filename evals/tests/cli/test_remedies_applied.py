"""What each message tells the user to do, done as it says, makes the error go away."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from stub_campaigns import shared_campaign

TRACES = "import-traces {} --data-dir new --model m"
VARIANT = "run-variants V8 --stub --data-dir data --variants-dir variants"
PARTS = "trigger: {kind: always}\nsummarizer: {kind: structured}\nhistory_k: 3\n"
HISTORY = "step,loss\n" + "".join(f"{step},{1 / step:.4f}\n" for step in range(1, 30))
RATINGS = "item,rater,rating\n" + "".join(
    f"i{n},r{r},{'yes' if (n * r) % 3 else 'no'}\n" for n in range(8) for r in (1, 2)
)
PREDICTIONS = "index,label,pred,loss\n" + "".join(f"{n},{n % 2},{(n * 7) % 3 % 2},0.{n}\n" for n in range(8))


@dataclass(frozen=True)
class Row:
    """An error and its remedy.

    Attributes:
        command: as it is typed, in a folder with `files`; `data` is a finished campaign.
        remedy: what the message says.
        does: commands that the remedy names.
        files, then_files: what lies there before, and what the remedy makes of it; None removes a file.
        then: the command as the remedy corrects it; empty if it stays.
        environment: what the remedy sets.
    """

    command: str
    remedy: str
    does: tuple[str, ...] = ()
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    then_files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    then: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def variant(wrong: str, right: str, remedy: str) -> Row:
    """Return the row of a variant file with a fault."""
    return Row(VARIANT, remedy, files={"variants/V8.yaml": wrong}, then_files={"variants/V8.yaml": right})


GOOD = "variant_id: V8\ngate: {kind: message}\n" + PARTS
VARIANTS = [
    variant("variant_id: V8\n" + PARTS, GOOD, "gate: Field required; correct the value"),
    variant(GOOD.replace("message", "mesage"), GOOD, "did you mean `message`?"),
    variant(GOOD.replace("message}", "message, size: 3}"), GOOD, "settings of message are none"),
    variant(GOOD + "variant_id: V8\n", GOOD, "is a duplicate; correct the line"),
    variant(GOOD.replace("{kind: message}", "&a [*a]"), GOOD, "a value within itself; correct the line"),
    variant(GOOD.replace("V8", "V7"), GOOD, "name the file V7.yaml"),
    variant(
        GOOD.replace("message", "token_gate, min_words: 90, max_words: 30"),
        GOOD.replace("message", "token_gate, min_words: 30, max_words: 90"),
        "min_words 90 exceeds max_words 30",
    ),
    Row(
        VARIANT, "add a YAML file, or name another", files={"variants/x.txt": ""}, then_files={"variants/V8.yaml": GOOD}
    ),
    Row(
        "run-variants V9 --stub --data-dir data",
        "known are V0, V1, V2, V3, V4",
        then="run-variants V0 --stub --data-dir data",
    ),
]

ARGUMENTS = [
    Row(
        "make-traces --stub --source small_cases:load --n-cases 50 --data-dir new",
        "take fewer, or `mode: all`",
        then="make-traces --stub --source small_cases:load --n-cases 2 --data-dir new",
    ),
    Row(
        "make-traces --stub --source small_cases:load --cases case-t99 --data-dir new",
        "did you mean case-t09",
        then="make-traces --stub --source small_cases:load --cases case-t09 --data-dir new",
    ),
    Row(
        "make-traces --stub --source small_cases:laod --n-cases 2 --data-dir new",
        "correct the name behind the colon",
        then="make-traces --stub --source small_cases:load --n-cases 2 --data-dir new",
    ),
    Row(
        "make-traces --stub --source own_cases_here:load --n-cases 2 --data-dir new",
        "install its package, or put it on PYTHONPATH",
        then="make-traces --stub --source small_cases:load --n-cases 2 --data-dir new",
    ),
    Row(
        "make-traces --source small_cases:load --n-cases 2 --data-dir new",
        "simulate the conversation with --stub",
        then="make-traces --stub --source small_cases:load --n-cases 2 --data-dir new",
    ),
    Row(
        "make-traces --source small_cases:load --n-cases 2 --data-dir new",
        "(EXAID_STUB_MODE=1)",
        environment={"EXAID_STUB_MODE": "1"},
    ),
    Row(
        "make-traces --stub --source small_cases:load --n-cases 3 --data-dir data",
        "--force makes them again",
        then="make-traces --stub --source small_cases:load --n-cases 3 --data-dir data --force",
    ),
    Row(
        "make-traces --stub --source small_cases:load --n-cases 3 --data-dir data",
        "another --data-dir leaves them alone",
        then="make-traces --stub --source small_cases:load --n-cases 3 --data-dir new",
    ),
    Row(
        "run-variants V0 --stub --llm replay --data-dir data",
        "or leave out --llm",
        then="run-variants V0 --stub --data-dir data",
    ),
    Row(
        "run-variants V0 --stub --data-dir new",
        "run `exaid-evals make-traces`",
        does=("make-traces --stub --source small_cases:load --n-cases 2 --data-dir new",),
    ),
    Row(
        "compute-metrics --measures nix --data-dir data V0",
        "known are coverage",
        then="compute-metrics --measures coverage --data-dir data V0",
    ),
    Row(
        "explain mian V3 coverage --data-dir data",
        "did you mean main?",
        then="explain main V3 coverage --data-dir data",
    ),
    Row("explain main V9 coverage --data-dir data", "there are V0", then="explain main V3 coverage --data-dir data"),
    Row("validate data/trace", "check the path", then="validate data/traces"),
    Row(
        "verify --as-is --against data --data-dir new",
        "name one with --data-dir",
        then="verify --as-is --against data --data-dir data",
    ),
    Row(
        "calibrate V3 --traces data --data-dir data",
        "freeze others: `exaid-evals make-traces --data-dir OTHER --exclude-from",
        does=("make-traces --stub --source small_cases:load --n-cases 2 --data-dir other --exclude-from data",),
        then="calibrate V3 --traces other --data-dir data",
    ),
]

OF_OTHERS = [
    Row(
        TRACES.format("chat.json"),
        "name it with --format: otel, langchain, autogen, openai, csv",
        files={"chat.json": '[{"said": "Fever."}]'},
        then_files={"chat.json": '{"messages": [{"role": "assistant", "name": "Bob", "content": "Fever."}]}'},
    ),
    Row(
        TRACES.format("table.csv"),
        "name it with --format: otel, langchain, autogen, openai, csv",
        files={"table.csv": "case_id,speaker,words\nc1,doctor0,Fever.\n"},
        then_files={"table.csv": "case_id,agent,content\nc1,doctor0,Fever.\n"},
    ),
    Row(
        TRACES.format("table.csv"),
        "quote cells, and double quotes inside them",
        files={"table.csv": 'case_id,agent,content\nc1,doctor0,"A "rash""x\n'},
        then_files={"table.csv": 'case_id,agent,content\nc1,doctor0,"A ""rash"""\n'},
    ),
    Row(
        TRACES.format("chat.json").replace("new", "data"),
        "choose an empty data folder",
        files={"chat.json": '{"messages": [{"role": "assistant", "name": "Bob", "content": "Fever."}]}'},
        then=TRACES.format("chat.json"),
    ),
    Row(
        "concepts texts.jsonl",
        'write {"id": …, "text": "…"} on each line',
        files={"texts.jsonl": '{"id": "a"}\n'},
        then_files={"texts.jsonl": '{"id": "a", "text": "Fever."}\n'},
    ),
    Row(
        "concepts note.txt",
        "save it as UTF-8",
        files={"note.txt": "Fièvre.".encode("latin-1")},
        then_files={"note.txt": "Fièvre."},
    ),
    Row(
        "concepts --extractor lexcon note.txt",
        "did you mean `lexicon`?",
        files={"note.txt": "Fever."},
        then="concepts --extractor lexicon note.txt",
    ),
    Row(
        "notes notes.jsonl",
        'write {"id": …, "summary": "…", "source": "…", "reference": "…"} on each line',
        files={"notes.jsonl": '{"id": "a"}\n'},
        then_files={"notes.jsonl": '{"id": "a", "summary": "Fever.", "source": "He has fever."}\n'},
    ),
    Row(
        "agreement --human ratings.csv",
        "give columns item, rater, rating",
        files={"ratings.csv": "a,b\n1,2\n"},
        then_files={"ratings.csv": RATINGS},
    ),
    Row(
        "agreement --human ratings.csv --level interval",
        "or leave out --level",
        files={"ratings.csv": RATINGS},
        then="agreement --human ratings.csv",
    ),
    Row(
        "agreement --human ratings.csv --level interval",
        "write numbers for no, yes",
        files={"ratings.csv": RATINGS},
        then_files={"ratings.csv": RATINGS.replace("yes", "1").replace("no", "0")},
    ),
    Row(
        "analyze --run-name log.csv --better loss",
        "write NAME=higher or NAME=lower",
        files={"log.csv": HISTORY},
        then="analyze --run-name log.csv --better loss=lower",
    ),
    Row(
        "analyze --run-name log.csv --primary-metric acc",
        "the run has loss",
        files={"log.csv": HISTORY},
        then="analyze --run-name log.csv --primary-metric loss",
    ),
    Row(
        "compare --runs log.csv",
        "look at the one with `exaid-evals analyze`",
        files={"log.csv": HISTORY},
        then="analyze --run-name log.csv",
    ),
    Row(
        "compare --runs log.csv",
        "name more",
        files={"log.csv": HISTORY, "other.csv": HISTORY.replace("0.", "0.1")},
        then="compare --runs log.csv,other.csv",
    ),
    Row(
        "compare-logs one.csv two.csv",
        "name logs of the same items",
        files={"one.csv": PREDICTIONS, "two.csv": "index,label,pred,loss\n90,1,1,0.1\n91,0,1,0.1\n"},
        then_files={"two.csv": PREDICTIONS},
    ),
    Row(
        "monitor log.csv",
        "check the path, or wait for it with --follow",
        then_files={"log.csv": HISTORY},
    ),
    Row("monitor log.csv --until-idle 5", "add --follow", files={"log.csv": HISTORY}, then="monitor log.csv"),
    Row(
        "export --run runs/one --out out",
        "known formats are",
        files={"runs/one/results.json": "[]"},
        then_files={"runs/one/results.json": None, "runs/one/metrics.csv": HISTORY},
    ),
    Row(
        "export --runs 'none/*' --out out",
        "quote the pattern, and check it",
        files={"runs/one/metrics.csv": HISTORY},
        then="export --runs 'runs/*' --out out",
    ),
    Row(
        "migrate trace.jsonl",
        "upgrade exaid-evals",
        files={"trace.jsonl": '{"schema_name": "exaid.trace", "schema_version": "99.0.0"}\n'},
        then="migrate data/traces",
    ),
]


def write(folder: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Write, change or remove files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", [*VARIANTS, *ARGUMENTS, *OF_OTHERS], ids=lambda row: f"{row.command.split()[0]}: {row.remedy}"
)
def test_the_remedy_makes_the_error_go_away(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command fails and says what to do; done as it says, it succeeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXAID_STUB_MODE", raising=False)
    if "data" in f"{row.command} {row.then}":
        shutil.copytree(shared_campaign().root, tmp_path / "data")
    write(tmp_path, row.files)
    assert run(shlex.split(row.command)) in (1, 2, 3)
    assert row.remedy in " ".join(capsys.readouterr().err.split())
    write(tmp_path, row.then_files)
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    for command in (*row.does, row.then or row.command):
        assert run(shlex.split(command)) == 0, f"{command}: {capsys.readouterr().err}"
