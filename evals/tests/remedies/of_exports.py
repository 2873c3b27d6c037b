"""Runs and logs of other tools that `export`, `report-pack`, `impact` and `compare-logs` are given."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from exaid_evals.analysis.images.audit import look_through
from exaid_evals.cli.compare import CompareRequest
from exaid_evals.cli.main import VERBS
from exaid_evals.cli.main import run as command_line
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError
from exaid_evals.export import report_pack
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import _primary
from exaid_evals.item_scores import registry
from exaid_evals.item_scores.base import Item, Log
from exaid_evals.item_scores.compare import align
from exaid_evals.item_scores.registry import read_side
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files import archives, document
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.mapping_lookup import load_mapping
from exaid_evals.runs.formats import evaluations, mapping
from exaid_evals.runs.registry import find_run
from remedies.of_artifacts import PNG
from remedies.of_records import limited
from remedies.of_runs import HISTORY, INSPECT, SCORED, STATE
from remedies.of_texts import packed
from remedies.rows import Row

RESULTS = json.dumps(INSPECT | SCORED)
SAMPLE = {"id": 1, "epoch": 1, "input": "x", "scores": {"match": {"value": 1}}}
SAMPLED = json.dumps(INSPECT | SCORED | {"samples": [SAMPLE]})
COUNTS = {"prediction_accuracy": 0.5, "total_attempts": 4}


def archive(path: str, text: str = RESULTS) -> None:
    """Write a log as an archive."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("header.json", text)


def encrypted() -> None:
    """Write a log that says to be encrypted: the flag stands before its content, and in the table."""
    archive("a.eval")
    data = Path("a.eval").read_bytes()
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.index(mark) + place
        data = data[:at] + bytes([data[at] | 1]) + data[at + 1 :]
    Path("a.eval").write_bytes(data)


def reports(**prompts: str) -> dict[str, str]:
    """Return a report of each model, of one prompt."""
    return {
        f"{model}/reports/metrics_{prompt}.json": json.dumps({"model_name": model, "prompt_type": prompt, **COUNTS})
        for model, prompt in prompts.items()
    }


def logs(task: str, *items: tuple[str, str], system: str = "m") -> Log:
    """Return a log."""
    return Log(task, system, "x", "x.json", [Item(one, content=text, scores={"acc": 1.0}) for one, text in items])


def aligned(a: Log, b: Log, **how: bool) -> Callable[[], object]:
    """Return the alignment of two sides, of which A has a task more."""
    return lambda: align([a, logs("other", ("z", "z"))], [b], **how)


def ranked(asked: str | None) -> Callable[[], object]:
    """Return the choice of the metric that ranks runs without any."""
    return lambda: _primary([], {}, asked, None)


def verbs(target: str) -> Callable[[], None]:
    """Return the help of a verb that another package has registered."""

    def do() -> None:
        with mock.patch.dict(VERBS, {"odd": (target, "Odd.")}):
            if command_line(["odd", "--help"]):
                raise ConfigError("register a click.Command")

    return do


class Historyless(Format):
    """A format that says to have histories, and reads none."""

    name = "own"
    has_history = True

    def claims(self, folder: Path) -> bool:
        """Return whether it is ours."""
        return True

    def read(self, source: Source, name: str) -> Run:
        """Read nothing."""
        raise NotImplementedError


class Historical(Historyless):
    """The same, mended."""

    has_history = False


def history_of(form: Format) -> object:
    """Read the histories of a place by a format."""
    source = Source(Path("run"))
    return form.history(source, "run") if form.has_history else None


BLOCK = "% exaid:begin main\n% exaid:end\n"
PICTURES = {"article/x": "", "export/figures/a.png": "x", "export/a.png": "x"}
SIDES = {"a/one.json": SAMPLED, "a/two.json": SAMPLED.replace('"model": "m"', '"model": "n"')}
EXPORTED = [
    Row(
        "say which with --source",
        lambda: find_run("run", [Path()]),
        lambda: find_run("run", [Path()], "hf_trainer"),
        files={"run/trainer_state.json": STATE, "run/events.csv": HISTORY},
    ),
    Row(
        "correct the pattern",
        lambda: read_runs([Path("run7")], settings=Settings(Path("m.yaml"))),
        files={"run7/m.json": "{}", "m.yaml": "metrics: {acc: {path: 'nix(.*)'}}\n"},
        then={"m.yaml": "metrics: {acc: {path: 'run(.*)'}}\n"},
    ),
    Row(
        "name a YAML file",
        lambda: load_mapping(Path()),
        lambda: load_mapping(Path("m.yaml")),
        files={"m.yaml": "metrics: {acc: {value: 1}}\n"},
    ),
    Row(
        "narrow `runs` in the mapping",
        limited(mapping, "_MOST_RUNS", 1, lambda: read_runs([Path("all")], settings=Settings(Path("m.yaml")))),
        lambda: read_runs([Path("all")], settings=Settings(Path("n.yaml"))),
        files={
            "all/a/m.json": '{"acc": 1}',
            "all/b/m.json": '{"acc": 2}',
            "m.yaml": "runs: '*'\nmetrics: {acc: {file: m.json, key: acc}}\n",
            "n.yaml": "runs: 'a'\nmetrics: {acc: {file: m.json, key: acc}}\n",
        },
    ),
    Row(
        "write the log without a password",
        lambda: archives.read_member(Path("a.eval"), "header.json"),
        before=encrypted,
        does=(lambda: archive("a.eval"),),
    ),
    Row(
        "convert it with `inspect log convert --to eval`, of which only the header is read",
        limited(
            document,
            "content_of",
            lambda path, _most: content_of(path, 9),
            lambda: evaluations.header_of(Path("a.json")),
        ),
        lambda: evaluations.header_of(Path("a.eval")),
        files={"a.json": RESULTS},
        does=(lambda: archive("a.eval"),),
    ),
    Row(
        "ask for fewer with --require-prompts: {} lacks only {}",
        lambda: read_runs([Path()], settings=Settings(require_prompts=("zero_shot", "few_shot"))),
        lambda: read_runs([Path()], settings=Settings(require_prompts=("zero_shot",))),
        files=reports(m="zero_shot", n="few_shot"),
    ),
    Row("leave it out: no run holds a number", ranked("acc"), ranked(None)),
    Row(
        "give it one, or leave has_history out",
        lambda: history_of(Historyless(Settings())),
        lambda: history_of(Historical(Settings())),
    ),
    Row(
        "give it {}",
        lambda: Kind("figure", "x", {}, needs=("draw", "TITLE")).find("remedies.own_parts:NUMBER"),
        lambda: Kind("figure", "x", {}, needs=("name",)).find("remedies.own_parts:OddCheck"),
    ),
    Row(
        "name the folder of the images",
        lambda: look_through(Path("a")),
        lambda: look_through(Path("b")),
        files={"a/x": "", "b/x.png": PNG},
    ),
]
PACKED = [
    Row(
        "replace the link by the file",
        packed,
        files={"export/tables/main.tex": "a\n", "b.tex": "% exaid:begin main\n% exaid:end\n", "article/x": ""},
        before=lambda: Path("article/a.tex").symlink_to("../b.tex"),
        does=(lambda: Path("article/a.tex").unlink(), lambda: Path("b.tex").rename("article/a.tex")),
    ),
    *(
        Row(
            "save the article as UTF-8, or declare its encoding with inputenc",
            packed,
            files={"export/tables/main.tex": "naïve\n", "article/a.tex": f"ä\n{BLOCK}".encode("latin-1")},
            then={"article/a.tex": mended},
        )
        for mended in (f"ä\n{BLOCK}", f"\\usepackage[latin1]{{inputenc}}\nä\n{BLOCK}".encode("latin-1"))
    ),
    Row("rename one of them", packed, files=PICTURES, then={"export/figures/a.png": None, "export/figures/b.png": "x"}),
    Row(
        "name the right folder",
        limited(report_pack, "_MOST_FILES", 0, packed),
        packed,
        files={"article/x": "", "export/a.png": "x"},
    ),
]
SAME = (("i", "q"),)
LOGS = [
    Row(
        "name logs of the same tasks",
        aligned(logs("t", *SAME), logs("u", *SAME)),
        aligned(logs("t", *SAME), logs("t", *SAME)),
    ),
    Row(
        "name logs of the same items, or align by ids alone with --by-id",
        aligned(logs("t", ("i", "q")), logs("t", ("i", "r"))),
        aligned(logs("t", ("i", "q")), logs("t", ("i", "r")), by_id_alone=True),
    ),
    Row(
        "write the log with its samples: without --no-log-samples",
        lambda: read_side(Path("a.json"), None, "A"),
        files={"a.json": RESULTS},
        then={"a.json": SAMPLED},
    ),
]
CLI = [
    Row("register a click.Command", verbs("main:_kind"), verbs("validate:doctor_command")),
    Row("give its file, its folder or its name", CompareRequest, lambda: CompareRequest(runs="a.csv")),
    Row(
        "name them in one way", lambda: CompareRequest(paths=("a",), runs="b"), lambda: CompareRequest(paths=("a", "b"))
    ),
    Row(
        "look at one with `exaid-evals analyze`, or name another metric with --metric",
        "impact a.csv b.csv --metric loss --output-dir out",
        "impact a.csv b.csv --metric acc --better acc=higher --output-dir out",
        files=dict.fromkeys(("a.csv", "b.csv"), "step,loss,acc\n1,nan,0.5\n2,nan,0.6\n"),
    ),
    Row(
        "name the logs' folder",
        limited(registry, "_MOST_FILES", 1, lambda: read_side(Path("a"), "m", "A")),
        lambda: read_side(Path("a"), "m", "A"),
        files=SIDES,
    ),
    Row(
        "name one with {}; there are {}",
        lambda: read_side(Path("a"), None, "A"),
        lambda: read_side(Path("a"), "m", "A"),
        files=SIDES,
    ),
]
ROWS = [*CLI, *EXPORTED, *PACKED, *LOGS]
