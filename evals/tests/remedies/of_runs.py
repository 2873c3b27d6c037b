"""Runs of other tools: `export`, `analyze`, `compare`, `compare-logs`, `monitor`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from exaid_evals.export.reading import read_runs
from exaid_evals.runs.files.model_reports_json import read_metrics_json
from exaid_evals.runs.files.model_reports_txt import read_report_txt
from exaid_evals.runs.files.predictions import count_predictions
from exaid_evals.runs.files.training_history import read_history
from exaid_evals.runs.model_names import load_patterns
from exaid_evals.runs.registry import find_run
from remedies.rows import Content, Row, file

HISTORY = "step,loss\n" + "".join(f"{step},{1 / step:.4f}\n" for step in range(1, 30))
EXPORT = "export --run run --out out"
MAPPED = "export --run run --mapping m.yaml --out out"
COMPARE = "compare --runs 'a.csv,b.csv' --output-dir out"
ANALYZE = "analyze --run-name log.csv --output-dir out"
TWO = {"a.csv": HISTORY, "b.csv": HISTORY.replace("0.", "0.1")}
LATER = "wait for its end, or leave it out"
AGAIN = "write or copy it again"
NAMED = "name the right file"


def exported() -> object:
    """Read the run of the folder `run`."""
    return read_runs([Path("run")])


def history(name: str) -> Callable[[], object]:
    """Return the reading of a history."""
    return partial(find_run, name, [Path()])


def run_of(remedy: str, name: str, wrong: Content, right: Content) -> Row:
    """Return the row of a file of the folder `run`."""
    return file(remedy, exported, f"run/{name}", wrong, right)


def logged(remedy: str, name: str, wrong: Content, right: Content) -> Row:
    """Return the row of a history."""
    return file(remedy, history(name), name, wrong, right)


def mapped(
    remedy: str, wrong: str, right: str, *, data: Content = '{"acc": 0.5}', name: str = "m.json", **more: Any
) -> Row:
    """Return the row of a mapping that says where the metric `acc` lies in a file of the run."""
    text = "metrics:\n  acc: {{{}}}\nprimary_metric: acc\nhigher_is_better: [acc]\n".format
    return Row(
        remedy,
        MAPPED,
        files={f"run/{name}": data, "m.yaml": text(wrong)},
        then={"m.yaml": text(right)},
        **more,
    )


def database(name: str, *statements: str) -> Callable[[], None]:
    """Return what writes a database."""

    def do() -> None:
        Path(name).unlink(missing_ok=True)
        with closing(sqlite3.connect(name)) as made:
            for statement in statements:
                made.execute(statement)
            made.commit()

    return do


RESULTS = json.dumps({"results": {"toy": {"acc,none": 0.5}}, "higher_is_better": {"toy": {"acc": True}}, "config": {}})
STATE = json.dumps({"log_history": [{"step": step, "loss": 1 / step} for step in range(1, 9)]})
INSPECT = {"version": 2, "status": "success", "eval": {"task": "toy", "model": "m", "created": "2026-01-01"}}
SCORED = {"results": {"scores": [{"name": "match", "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}]}}
REPORT = json.dumps({"prediction_accuracy": 0.5, "total_attempts": 4})

FORMATS = [
    run_of(LATER, "results_2026-01-01T00-00-00.1.json", json.dumps({"results": {}, "config": {}}), RESULTS),
    run_of("correct the file", "results_2026-01-01T00-00-00.1.json", RESULTS[:-1], RESULTS),
    logged(NAMED, "trainer_state.json", json.dumps({"log_history": 5}), STATE),
    logged(LATER, "trainer_state.json", json.dumps({"log_history": []}), STATE),
    run_of(LATER, "2026-01-01T00-00-00_toy_x.json", json.dumps(INSPECT), json.dumps(INSPECT | SCORED)),
    file(
        "write a list of epochs, or a list for each name",
        lambda: read_history(Path("h.json"), {}),
        "h.json",
        "5",
        '[{"epoch": 1, "loss": 1.0}]',
    ),
    logged("correct the header", "log.csv", "step,loss," + "x" * 140_000 + "\n1,2,3\n", HISTORY),
    Row(
        "call that column `run` or `model` (and others `seed`, `fold`), or add a column `step`",
        "export --run t.csv --out out",
        files={"t.csv": "Modell,accuracy\nA,0.8\nB,0.7\n"},
        then={"t.csv": "model,accuracy\nA,0.8\nB,0.7\n"},
    ),
    Row(
        "call that column `run`, or add a column `step`",
        "export --run t.csv --out out",
        files={"t.csv": "model,tp,fp\nA,9,1\nB,8,2\n"},
        then={"t.csv": "run,tp,fp\nA,9,1\nB,8,2\n"},
    ),
    logged("save it as UTF-8", "log.csv", b"step,loss\n1,\xff\xe9\n", HISTORY),
    logged(NAMED, "log.csv", "step,loss\n", HISTORY),
    Row("check the path", "export --run nothing --out out", EXPORT, files={"run/metrics.csv": HISTORY}),
    Row(
        "`exaid-evals export --run {}` reads them",
        "analyze --run-name cv.json --output-dir out",
        "export --run cv.json --out out",
        files={"cv.json": '{"mean_fit_time": [0.1, 0.1], "param_C": [1, 2], "mean_test_score": [0.8, 0.9]}'},
    ),
    Row(
        "known formats are {}{}",
        EXPORT,
        files={"run/x.json": "[]"},
        then={"run/x.json": None, "run/metrics.csv": HISTORY},
    ),
    Row(
        "name each run once", EXPORT.replace("run run", "run run --run run"), EXPORT, files={"run/metrics.csv": HISTORY}
    ),
    Row(
        "quote the pattern, and check it",
        "export --runs 'none/*' --out out",
        "export --runs 'run*' --out out",
        files={"run/metrics.csv": HISTORY},
    ),
    Row(
        "mend them, or use --on-failure skip",
        EXPORT.replace("run run", "run run --run other --on-failure raise"),
        EXPORT.replace("run run", "run run --run other --on-failure skip"),
        leaves=3,
        files={"run/metrics.csv": HISTORY, "other/x.json": "[]"},
    ),
    Row(
        "there are {}",
        f"{EXPORT} --primary-metric acc",
        f"{EXPORT} --primary-metric loss",
        files={"run/metrics.csv": HISTORY},
    ),
    Row(
        "name it with --primary-metric: there are {}",
        f"{EXPORT} --better lower",
        f"{EXPORT} --better lower --primary-metric odd",
        files={"run/metrics.csv": "step,odd,even\n1,2,3\n2,3,4\n"},
    ),
    Row(
        "say it with --better higher or --better lower",
        f"{EXPORT} --primary-metric odd",
        f"{EXPORT} --primary-metric odd --better higher",
        files={"run/metrics.csv": HISTORY.replace("loss", "odd")},
    ),
    Row(
        "write seed, fold, trial, none, or a setting: {}",
        f"{EXPORT} --group-by lr",
        f"{EXPORT} --group-by none",
        files={"run/metrics.csv": HISTORY},
    ),
    Row(
        "name the {}s alone (their folders are called {}_0 and so on), or group by something else",
        f"{EXPORT} --group-by fold",
        f"{EXPORT} --group-by none",
        files={"run/metrics.csv": HISTORY},
    ),
    Row(
        "name it with --run",
        f"{EXPORT} --draft-mapping --run other",
        "export --run run --draft-mapping",
        files={"run/m.json": '{"acc": 0.5}'},
    ),
    Row(
        "name what your runs lie in",
        "export --run nothing --draft-mapping",
        "export --run run --draft-mapping",
        files={"run/m.json": '{"acc": 0.5}'},
    ),
    Row(
        "a mapping reads JSON, YAML, CSV and JSON Lines",
        "export --run run --draft-mapping",
        files={"run/m.txt": "acc 0.5"},
        then={"run/m.json": '{"acc": 0.5}'},
    ),
    file(
        "write it as configs/{} is written",
        lambda: load_patterns(Path("names.yaml")),
        "names.yaml",
        "{}\n",
        "parameters: [{name: small, pattern: small, billions: 1}]\n",
    ),
]

MAPPINGS = [
    mapped("at its top stand {}", "file: m.json, key: accuracy", "file: m.json, key: acc"),
    mapped(
        "name a key that holds a number",
        "file: m.json, key: acc",
        "file: m.json, key: n",
        data='{"acc": "good", "n": 1}',
    ),
    mapped(
        "there are {}", "file: m.csv, column: accuracy", "file: m.csv, column: acc", data="acc\n0.5\n", name="m.csv"
    ),
    mapped(
        "say which with `row`",
        "file: m.csv, column: acc, row: only",
        "file: m.csv, column: acc, row: last",
        data="acc\n0.5\n0.6\n",
        name="m.csv",
    ),
    mapped(LATER, "file: m.csv, column: acc", "value: 0.5", data="acc\n", name="m.csv"),
    mapped("name a key that holds a number", "path: 'r(u)n'", "value: 5"),
    mapped(
        "choose the row by another column",
        "file: m.csv, column: acc, row: {best: name, direction: higher}",
        "file: m.csv, column: acc, row: {best: acc, direction: higher}",
        data="acc,name\n0.5,a\n",
        name="m.csv",
    ),
    mapped(
        "write a pattern that only one file fits",
        "file: '*.json', key: acc",
        "file: 'm.json', key: acc",
        before=lambda: Path("run/n.json").write_text("{}"),
    ),
    mapped("correct the value", "file: ../m.json, key: acc", "file: m.json, key: acc"),
    Row(
        "correct the line",
        MAPPED,
        files={"run/m.jsonl": '{"acc": 0.5\n', "m.yaml": "metrics: {acc: {file: m.jsonl, column: acc}}\n"},
        then={"run/m.jsonl": '{"acc": 0.5}\n'},
    ),
    Row(
        "copy the file instead",
        MAPPED,
        before=lambda: (
            Path("run").mkdir(),
            Path("m.json").write_text('{"acc": 1}'),
            Path("run/m.json").symlink_to("../m.json"),
            Path("m.yaml").write_text("metrics: {acc: {file: m.json, key: acc}}\n"),
        ),
        does=(lambda: Path("run/m.json").unlink(), lambda: Path("run/m.json").write_text('{"acc": 1}')),
    ),
    Row(
        "correct `each.key`",
        MAPPED,
        files={
            "run/m.json": '{"runs": [{"acc": 1}], "n": 5}',
            "m.yaml": "each: {file: m.json, key: n}\nmetrics: {acc: {file: m.json, key: acc}}\n",
        },
        then={"m.yaml": "each: {file: m.json, key: runs}\nmetrics: {acc: {file: m.json, key: acc}}\n"},
    ),
]

REPORTS = [
    file(
        "prediction_accuracy, confusion_matrix, total_attempts, meta_data are looked for",
        partial(read_metrics_json, Path("m_metrics.json")),
        "m_metrics.json",
        "{}",
        REPORT,
    ),
    file(
        "lines such as `Accuracy: 53.00%` are looked for",
        partial(read_report_txt, Path("m.txt")),
        "m.txt",
        "x\n",
        "Accuracy: 53.00%\n",
    ),
    file(
        "name the columns {} and {}; there are {}",
        partial(count_predictions, Path("p.csv")),
        "p.csv",
        "a,b\n1,2\n",
        "label,pred\n1,1\n",
    ),
    file(
        "complete or remove it",
        partial(count_predictions, Path("p.csv")),
        "p.csv",
        "label,pred\n1,\n",
        "label,pred\n1,1\n",
    ),
]

HISTORIES = [
    Row("known are {}", f"{ANALYZE} --source nothing", ANALYZE, files={"log.csv": HISTORY}),
    Row(
        "name one of them, or the folder to look in with --from",
        "analyze --run-name other --from runs --output-dir out",
        "analyze --run-name one --from runs --output-dir out",
        files={"runs/one/metrics.csv": HISTORY},
    ),
    Row(
        "the run has {}",
        f"{ANALYZE} --primary-metric acc",
        f"{ANALYZE} --primary-metric loss",
        files={"log.csv": HISTORY},
    ),
    Row(
        "say with --better {}=higher or --better {}=lower",
        f"{ANALYZE} --primary-metric odd",
        f"{ANALYZE} --primary-metric odd --better odd=lower",
        files={"log.csv": HISTORY.replace("loss", "odd")},
    ),
    Row(
        "write NAME=higher or NAME=lower",
        f"{ANALYZE} --better loss",
        f"{ANALYZE} --better loss=lower",
        files={"log.csv": HISTORY},
    ),
    Row(
        "write NAME={}, or name the metric with --primary-metric",
        f"{ANALYZE} --better higher",
        f"{ANALYZE} --better loss=lower",
        files={"log.csv": HISTORY},
    ),
    Row(
        "say one",
        f"{ANALYZE} --better loss=higher --better loss=lower",
        f"{ANALYZE} --better loss=lower",
        files={"log.csv": HISTORY},
    ),
    Row(
        "move it away, or name another folder",
        f"{ANALYZE}/in",
        ANALYZE.replace("dir out", "dir elsewhere"),
        files={"log.csv": HISTORY, "out": "x"},
    ),
    file("look at what the run logged", ANALYZE, "log.csv", "step,loss\n1,nan\n2,nan\n", HISTORY),
    Row(
        "known are {}; a format of your own is --source module:attribute",
        "analyze --run-name run --output-dir out",
        files={"run/x": "y"},
        then={"run/metrics.csv": HISTORY},
    ),
    Row(
        "name more, or look at the one with `exaid-evals analyze`",
        "compare --runs a.csv --output-dir out",
        COMPARE,
        files=TWO,
    ),
    Row(
        "name more, or look at the one with `exaid-evals analyze`",
        "compare --runs a.csv --output-dir out",
        ANALYZE.replace("log", "a"),
        files=TWO,
    ),
    Row("they have {}", f"{COMPARE} --primary-metric acc", f"{COMPARE} --primary-metric loss", files=TWO),
    Row("there are {}", f"{COMPARE} --group-by lr", f"{COMPARE} --group-by none", files=TWO),
    Row(
        "quote the pattern, and name the folder to look in with --from",
        "compare --runs '*.none' --output-dir out",
        COMPARE,
        files=TWO,
    ),
    Row("write names, files or patterns with commas between", "compare --runs , --output-dir out", COMPARE, files=TWO),
    Row(
        "look at what they log", COMPARE, files={"a.csv": "step,loss\n1,nan\n", "b.csv": "step,loss\n1,nan\n"}, then=TWO
    ),
    Row(
        "name the runs of a search",
        "impact --runs a.csv --output-dir out",
        "impact --runs a.csv,b.csv --output-dir out",
        files=TWO,
    ),
    Row("check the path, or wait for it with --follow", "monitor log.csv", then={"log.csv": HISTORY}),
    Row("add --follow", "monitor log.csv --until-idle 5", "monitor log.csv", files={"log.csv": HISTORY}),
    Row("name the file or folder that is written", "monitor", "monitor log.csv", files={"log.csv": HISTORY}),
    Row(
        "give seconds, at most a year",
        "monitor log.csv --follow --until-idle 1e12",
        "monitor log.csv",
        files={"log.csv": HISTORY},
    ),
    Row(
        "name a .jsonl or .csv, or wait until the training has begun to write",
        "monitor nothing --follow --until-idle 0.01",
        "monitor log.csv",
        files={"log.csv": HISTORY},
    ),
]

PREDICTIONS = "index,label,pred,loss\n" + "".join(f"{n},{n % 2},{(n * 7) % 3 % 2},0.{n}\n" for n in range(8))
ROWS = [*FORMATS, *MAPPINGS, *REPORTS, *HISTORIES]
