"""The verb over training runs: what it says, writes and returns, whatever the folders are called and hold."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.artifacts.schemas import load_schema, violations
from exaid_evals.cli.main import run as cli
from export.training_runs import GOLD, PREDICTIONS, copied, shifted, write_run

ROOT = Path(__file__).resolve().parents[3]


def published(root: Path) -> None:
    """Write three runs with the published accuracies and kappas, over 1000 items that make these."""
    numbers = [(4, 0.676, 0.697), (5, 0.733, 0.756), (6, 0.679, 0.710)]
    for seed, accuracy, kappa in numbers:
        wrong = round(1000 * (1 - accuracy))
        rows = "".join(f"i{n},{n % 2},{1 - n % 2 if n < wrong else n % 2}\n" for n in range(1000))
        write_run(
            root / f"results_{seed}",
            metrics={"accuracy": accuracy, "kappa": kappa},
            predictions="id,true,pred\n" + rows,
            seed=seed,
        )


def test_the_published_table_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accuracy 0.696 ± 0.026 and kappa 0.721 ± 0.025, in the terminal, CSV, JSON, Markdown and LaTeX."""
    published(tmp_path / "RUNS")
    runs = [f"--run={tmp_path}/RUNS/results_{seed}" for seed in (4, 5, 6)]
    assert cli(["export", *runs, "--out", str(tmp_path / "out"), "--primary-metric", "accuracy"]) == 0
    reported = capsys.readouterr()
    assert "accuracy  0.696 ± 0.026 (n = 3)\nkappa     0.721 ± 0.025 (n = 3)\n" in reported.out
    assert "accuracy: best results_5 (0.7330), worst results_4 (0.6760)" in reported.out
    # The kappas were published with accuracies that our made-up items cannot have: that is reported each run.
    assert reported.err.count("kappa is reported as") == 3
    out = tmp_path / "out"
    assert "| **Accuracy** | 0.696 ± 0.026 |" in (out / "aggregated_metrics.md").read_text(encoding="utf-8")
    assert r"\textbf{Accuracy} & 0.696 $\pm$ 0.026" in (out / "aggregated_metrics.tex").read_text(encoding="utf-8")
    summary = json.loads((out / "exported_summary.json").read_text(encoding="utf-8"))
    assert list(violations(summary)) == []
    kappa = summary["aggregated"]["kappa"]
    assert (round(kappa["mean"], 3), round(kappa["std"], 3), kappa["n_missing"]) == (0.721, 0.025, 0)
    with (out / "aggregated_metrics.csv").open(encoding="utf-8") as stream:
        rows = {row["metric"]: row for row in csv.DictReader(stream)}
    assert float(rows["kappa"]["mean ± σ_std"]) == pytest.approx(kappa["std"], abs=1e-6)


def test_one_run_is_exported_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --out the files lie in the run's folder, and the terminal says the run, its metrics and the CSV."""
    folder = copied("digits/results_4", tmp_path / "results_4")
    assert cli(["export", "--run", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "read 1 run: results_4",
        "accuracy  0.9200",
        "kappa     0.8425",
        "macro_f1  0.9200",
        f"wrote {folder}/exported_metrics.csv, and all else into {folder}/export",
    ]
    assert (folder / "exported_metrics.csv").read_bytes() == (folder / "export" / "exported_metrics.csv").read_bytes()
    assert cli(["export", "--run", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("read 1 run: results_4 (1 unchanged)\n")
    with (folder / "export" / "exported_metrics.csv").open(encoding="utf-8") as stream:
        assert [row["run"] for row in csv.DictReader(stream)] == ["results_4"]


def test_a_missing_file_ends_one_run_with_1_and_leaves_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone it is exit 1 and nothing is written; among others they are exported, and it is exit 3."""
    good, bad = write_run(tmp_path / "results_1"), write_run(tmp_path / "results_2")
    (bad / "metrics" / "val_metrics.json").unlink()
    assert cli(["export", "--run", str(bad)]) == 1
    message = f"error: File not found: {bad}/metrics/val_metrics.json; a training run needs it"
    assert message in capsys.readouterr().err
    assert not (bad / "export" / "exported_metrics.csv").exists()
    arguments = ["export", "--run", str(good), "--run", str(bad), "--out", str(tmp_path / "out")]
    assert cli(arguments) == 3
    reported = capsys.readouterr()
    assert message in reported.err
    assert "read 1 run: results_1 (1 could not be read)" in reported.out
    summary = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))
    assert list(violations(summary)) == []
    [failed] = summary["failed_runs"]
    assert (failed["run"], failed["problem"][:46]) == ("results_2", "File not found: metrics/val_metrics.json; a tr")
    assert str(tmp_path) not in (tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8")
    assert cli([*arguments[:-1], str(tmp_path / "none"), "--on-failure", "raise"]) == 1
    assert not (tmp_path / "none" / "exported_summary.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("summary.json", b"{bad", r"summary.json:1: not valid JSON"),
        ("summary.json", b"", r"summary.json: is empty"),
        ("summary.json", b"[1]", r"summary.json: holds a list"),
        ("summary.json", b'{"a":' * 5000 + b"1" + b"}" * 5000, r"summary.json:1: not valid JSON"),
        ("metrics/val_metrics.json", b"\xff\xff", r"val_metrics.json: is not UTF-8"),
        ("train_history.csv", b"epoch,loss\n", r"train_history.csv: holds no epoch"),
        ("train_history.csv", b"epoch,loss\n1,2,3\n", r"train_history.csv:2: 3 cells"),
        ("val_predictions.csv", b"id,true,pred\ni1,0\n", r"val_predictions.csv:2: 2 cells"),
    ],
)
def test_damage_costs_one_run_and_a_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    """One bad file among good runs: one line names it, no traceback, and the others are exported."""
    write_run(tmp_path / "results_1")
    bad = write_run(tmp_path / "results_2")
    (bad / name).write_bytes(content)
    assert cli(["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]) == 3
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert f"error: {bad}/" in errors[0]
    assert message in errors[0]


NASTY = ["=cmd|'calc'!A0", "two words", "quo'te\"s", "line\nbreak", "+1", "a,b;c", "|x|<i>$&%_{", "\x1b[2J"]


def test_names_and_texts_are_only_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No name of a folder, setting or class is run by a spreadsheet, a terminal, Markdown or TeX, and none is lost."""
    for number, name in enumerate(NASTY):
        write_run(
            tmp_path / "runs" / name,
            predictions=shifted(number).replace(",0", f',"{name.replace(chr(34), chr(34) * 2)}"'),
            metrics={},
            seed=number,
            config={"=1+1": name, "lr": number},
        )
    (tmp_path / "runs" / "two words").rename(os.fsdecode(os.fsencode(tmp_path / "runs") + b"/two \xff words"))
    assert cli(["export", "--runs", f"{tmp_path}/runs/*", "--out", str(tmp_path / "out")]) == 0
    reported = capsys.readouterr()
    assert "\x1b" not in reported.out + reported.err
    out = tmp_path / "out"
    with (out / "exported_metrics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == len(NASTY) + 1
    formulas = [cell for row in rows for cell in row if cell.startswith(("=", "+", "@", "\t", "\r", "\n"))]
    assert all(math.isfinite(float(cell)) for cell in formulas)  # a number runs nothing
    assert "two \\udcff words" in {row[0] for row in rows}
    for path in out.glob("*.json"):
        assert list(violations(json.loads(path.read_text(encoding="utf-8")))) == []
    if shutil.which("pdflatex"):
        tables = "".join(rf"\input{{{path.stem}}}" for path in sorted(out.glob("*.tex")))
        (out / "paper.tex").write_text(
            rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}\end{{document}}"
        )
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
        done = subprocess.run(command, cwd=out, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]


def test_results_do_not_tell_where_they_were_made(tmp_path: Path) -> None:
    """The same runs in another folder give the same bytes."""
    made = []
    for place in ("here", "far/away"):
        for seed in (4, 5, 6):
            copied(f"digits/results_{seed}", tmp_path / place / f"results_{seed}")
        out = tmp_path / place / "out"
        assert cli(["export", "--runs", f"{tmp_path / place}/**/results_*", "--out", str(out)]) == 0
        made.append({path.name: path.read_bytes() for path in out.iterdir() if path.is_file()})
    assert made[0] == made[1]
    assert not [name for name, content in made[0].items() if str(tmp_path).encode() in content]


def test_a_later_export_removes_what_it_does_not_have(tmp_path: Path) -> None:
    """After folds come seeds: no stale summary of folds stays, and what is not ours does."""
    out = tmp_path / "out"
    assert cli(["export", "--run", str(GOLD / "cv" / "sgd"), "--out", str(out)]) == 0
    assert (out / "cv_summary.json").exists()
    (out / "mine.csv").write_text("x")
    assert cli(["export", "--runs", f"{GOLD}/digits/results_*", "--out", str(out)]) == 0
    assert not list(out.glob("cv_summary.*"))
    assert (out / "mine.csv").exists()


def test_the_log_has_everything_and_the_terminal_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DEBUG goes to a dated file, warnings to the terminal unless the level is above them."""
    write_run(tmp_path / "results_1", predictions=shifted(10), metrics={})
    arguments = ["export", "--run", str(tmp_path / "results_1"), "--out", str(tmp_path / "out")]
    assert cli(arguments) == 0
    assert "warning: results_1: accuracy is 0.0%" in capsys.readouterr().err
    [log] = (tmp_path / "out" / "logs").iterdir()
    text = log.read_text(encoding="utf-8")
    assert " DEBUG results_1: training_run, read" in text
    assert " WARNING results_1: accuracy is 0.0%" in text
    assert cli([*arguments, "--log-level", "error"]) == 0
    assert capsys.readouterr().err == ""
    assert cli([*arguments, "--log-level", "debug", "--force"]) == 0
    assert "debug: results_1: training_run, read" in capsys.readouterr().err


def test_a_dry_run_writes_nothing_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No table, no log, no memory."""
    write_run(tmp_path / "results_1")
    assert cli(["export", "--run", str(tmp_path / "results_1"), "--dry-run"]) == 0
    assert f"would write {tmp_path}/results_1/export" in capsys.readouterr().out
    assert not (tmp_path / "results_1" / "export").exists()


def test_a_metric_of_unknown_direction_is_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Best and worst are not guessed: --better says, or exit 2."""
    for seed, value in ((1, 3.0), (2, 5.0)):
        write_run(tmp_path / f"results_{seed}", metrics={"wobble": value}, predictions=shifted(seed), seed=seed)
    arguments = [
        "export",
        "--runs",
        f"{tmp_path}/results_*",
        "--out",
        str(tmp_path / "o"),
        "--primary-metric",
        "wobble",
    ]
    assert cli(arguments) == 2
    assert "nothing says whether wobble improves upwards or downwards" in capsys.readouterr().err
    assert cli([*arguments, "--better", "lower"]) == 0
    assert "wobble: best results_1 (3.0000), worst results_2 (5.0000)" in capsys.readouterr().out


def test_a_pattern_over_everything_passes_over_folders_that_hold_runs(tmp_path: Path) -> None:
    """`**` matches the folders above the runs too, and those inside: only what no run is in, and is none, is named."""
    write_run(tmp_path / "RUNS" / "a" / "results_1")
    write_run(tmp_path / "RUNS" / "b" / "results_2", predictions=shifted(1), metrics={}, seed=2)
    (tmp_path / "RUNS" / "b" / "results_empty").mkdir()
    assert cli(["export", "--runs", f"{tmp_path}/RUNS/**/results_*", "--out", str(tmp_path / "out")]) == 3
    summary = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))
    assert [run["run"] for run in summary["runs"]] == ["results_1", "results_2"]
    assert [failed["run"] for failed in summary["failed_runs"]] == ["results_empty"]


@pytest.mark.slow
@pytest.mark.parametrize("command", [["evals/scripts/04_eval_export.sh"], [sys.executable, "evals/src/eval_export.py"]])
def test_script_and_entry_point_are_the_verb(tmp_path: Path, command: list[str]) -> None:
    """Both take --run and write what the verb writes."""
    write_run(tmp_path / "results_1", predictions=PREDICTIONS)
    arguments = ["--run", str(tmp_path / "results_1"), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "accuracy  0.8000" in done.stdout
    assert (tmp_path / "out" / "exported_metrics.csv").is_file()


def test_summaries_of_the_first_version_are_still_read() -> None:
    """Exports that were written before 1.1.0 stay valid."""
    assert load_schema("exaid.export", "1.0.0")["properties"]["schema_version"]["const"] == "1.0.0"
    old = {
        "schema_name": "exaid.export",
        "schema_version": "1.0.0",
        "runs": [{"run": "a", "format": "campaign", "metrics": {"x": 1.0}}],
        "aggregated": {},
        "best_run": None,
        "worst_run": None,
        "primary_metric": None,
        "warnings": [],
        "signatures": [],
        "stub": False,
    }
    assert list(violations(old)) == []


def test_a_pattern_of_files_names_runs_that_are_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs that lie side by side are runs of their own; folders that match are taken before files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("step,loss\n1,2\n2,1\n", encoding="utf-8")
    assert cli(["export", "--runs", "*.csv", "--out", "out"]) == 0
    assert "read 2 runs: a.csv, b.csv" in capsys.readouterr().out
