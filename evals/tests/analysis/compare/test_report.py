"""The verb and its files: true to the comparison, valid, the same bytes again, bounded, safe against hostile names."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.compare.runs import curve, run, write_run, write_search
from exaid_evals.analysis.compare import write
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.analysis.compare.performance import rank
from exaid_evals.analysis.compare.recommend import ExperimentComparator, recommendations, verdict
from exaid_evals.analysis.compare.report import comparison_record
from exaid_evals.analysis.compare.stage import Comparison, stability_of
from exaid_evals.analysis.compare.write import dashboard_data, thinned, write_comparison
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.runs.history import CleanSeries, History, Point, Series

HOSTILE = '</script><script>alert(1)</script>"|`x`![i](http://a)\x1b[2J\u202e\u2028\n=1+1'


def test_the_verb_tells_what_its_files_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table, verdict and recommendations on standard output are those of the record; every file is there and valid."""
    write_search(tmp_path / "runs")
    out = tmp_path / "out"
    assert cli(["compare", "--runs", f"{tmp_path}/runs/*", "--output-dir", str(out)]) == 0
    shown = capsys.readouterr().out
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert not list(violations(record))
    assert record["differing_settings"] == ["augment", "lr"]
    assert record["primary_metric"] == "val_accuracy"
    assert len(record["runs"]) == 12
    first = record["metrics"][0]
    assert first["told"] in shown
    assert all(line in shown for line in record["recommendations"])
    one = first["performances"][0]
    assert one["value"] == pytest.approx(np.mean(list(one["values"].values())), abs=2e-6)
    report = (out / "comparison.md").read_text(encoding="utf-8")
    for heading in ("Summary", "Performance", "Settings", "Stability", "Where histories part", "Limits"):
        assert f"## {heading}" in report
    assert all((out / path).is_file() for path in re.findall(r"\]\((plots/\d+\.png)\)", report))
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["group"] for row in rows if row["metric"] == "val_accuracy"] == [
        each["group"] for each in first["performances"]
    ]
    assert {row["setting.lr"] for row in rows} == {"0.01", "0.1"}
    assert cli(["validate", str(out / "comparison.json")]) == 0


def test_drops_and_recoveries_are_reported_their_runs(tmp_path: Path) -> None:
    """The run that never came back is recommended for a look; the one that did has its steps to recover."""
    write_search(tmp_path / "runs")
    comparison = ExperimentComparator(f"{tmp_path}/runs/*").compare()
    record = comparison_record(comparison)
    steady = {one["run"]: one["stability"] for one in record["runs"]}
    back = [one for one in steady["lr0.1-flip-s1"]["recoveries"] if one["metric"] == "val_accuracy"]
    assert [one["steps_to_recover"] for one in back] == [12]
    lasting = steady["lr0.1-none-s1"]["recoveries"]
    assert all(one["steps_to_recover"] is None for one in lasting)
    assert any("lr0.1-none-s1" in line for line in record["recommendations"])


def test_small_numbers_are_not_reported_as_nothing(tmp_path: Path) -> None:
    """Errors of 2e-7 and learning rates of 1e-7 keep their digits in every file, which are valid all the same."""
    rng = np.random.default_rng(6)
    runs = tuple(
        run(f"{level:g}-{seed}", {"val_mse": level + rng.normal(0, 1e-8, 60)}, {"lr": rate, "seed": seed})
        for level, rate in ((2e-7, 1e-7), (4e-7, 0.00161931))
        for seed in range(3)
    )
    out = write_comparison(ExperimentComparator("").of(Collected(runs, ())), tmp_path / "out").parent
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    first = record["metrics"][0]["performances"][0]
    for name in ("value", "low", "high"):
        assert float(first[name]) == pytest.approx(2e-7, rel=0.2)
    assert {float(value) for value in first["values"].values()}.isdisjoint({0.0})
    assert {one["settings"]["lr"] for one in record["runs"]} == {"1e-07", "0.00161931"}
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["value"]) == pytest.approx(2e-7, rel=0.2)
    assert {float(row["setting.lr"]) for row in rows} == {1e-7, 0.00161931}
    assert cli(["validate", str(out / "comparison.json")]) == 0


def test_names_are_cut_on_the_console_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of 200 characters fills no screen, and is whole in the record; one of anything is singular."""
    name = "x" * 200
    for seed in range(2):
        write_run(tmp_path / f"{name}{seed}", {"val_accuracy": [0.1 * seed] * 9}, {"depth": 1})
    assert cli(["compare", "--runs", f"{tmp_path}/x*", "--output-dir", str(tmp_path / "out")]) == 0
    shown = "".join(capsys.readouterr())
    assert "x" * 61 not in shown
    assert name in (tmp_path / "out" / "comparison.json").read_text(encoding="utf-8")
    grouped = run("a", {"val_accuracy": [0.5] * 9}, {"seed": 0}), run("b", {"val_accuracy": [0.6] * 9}, {"seed": 1})
    comparison = ExperimentComparator("").of(Collected(grouped, ()))
    reported = " ".join([*comparison_record(comparison)["recommendations"], verdict(comparison.rankings[0])])
    assert not re.search(r"\b1 (groups|runs|steps|settings)\b", reported)


def test_of_each_configuration_one_run_is_named_for_a_look() -> None:
    """Five seeds that all fell and never came back are one finding, with how many more there are."""
    rng = np.random.default_rng(8)
    runs = []
    for seed in range(5):
        values = curve(rng, 80)
        values[50:] -= 0.3
        runs.append(run(f"r{seed}", {"val_accuracy": values}, {"lr": 1, "seed": seed}))
    reported = [
        line for line in recommendations(ExperimentComparator("").of(Collected(tuple(runs), ()))) if "Analyse" in line
    ]
    assert len(reported) == 1
    assert reported[0].endswith("; 4 runs of its configuration are unsteady too.")


@pytest.mark.slow
def test_files_have_the_same_bytes_again(tmp_path: Path) -> None:
    """Neither clock, nor hash order, nor the folder of the output reaches a file."""
    write_search(tmp_path / "runs", seeds=2)
    script = Path(__file__).resolve().parents[3] / "src" / "compare_experiments.py"
    for name, seed in (("a", "1"), ("b", "2")):
        done = subprocess.run(
            [sys.executable, str(script), "--runs", "runs/*", "--output-dir", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C"},
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    files = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) >= 5
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_hostile_names_end_no_element_and_make_no_formula(tmp_path: Path) -> None:
    """The page's data are one JSON element, Markdown has no link of theirs, no cell of the CSV starts a formula."""
    rng = np.random.default_rng(1)
    metric = f"val_accuracy{HOSTILE}"
    runs = tuple(
        run(f"={HOSTILE}{seed}", {metric: curve(rng)}, {HOSTILE: f"@{HOSTILE}{seed % 2}", "seed": seed})
        for seed in range(4)
    )
    out = write_comparison(ExperimentComparator("").of(Collected(runs, ())), tmp_path / "out").parent
    html = (out / "dashboard.html").read_text(encoding="utf-8")
    assert html.count("<script") == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert json.loads(data)["runs"][0]["name"].startswith("=</script>")
    for path in out.iterdir():
        if path.suffix in (".html", ".md", ".csv"):
            text = path.read_text(encoding="utf-8")
            assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    with (out / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        assert not [cell for row in csv.reader(stream) for cell in row if cell[:1] in ("=", "@", "+")]


@pytest.mark.slow
def test_two_hundred_runs_of_ten_metrics_stay_under_ten_megabytes() -> None:
    """Histories of 2,000 steps each are thinned, and every run is still there."""
    rng = np.random.default_rng(2)
    series = {
        f"m{number}": Series(f"m{number}", tuple(Point(float(step), float(value)) for step, value in enumerate(column)))
        for number, column in enumerate(rng.normal(0, 1, (10, 2000)).cumsum(axis=1))
    }
    runs = tuple(Run(f"run-{number}", History(f"run-{number}", "csv", series), {}, None) for number in range(200))
    grouping = group_runs(runs)
    rankings = tuple(found for metric in series if (found := rank(grouping.groups, metric, "higher")) is not None)
    steady = tuple(stability_of(one, [], {}) for one in runs)
    comparison = Comparison(
        runs, grouping, "seed", "level", dict.fromkeys(series, "higher"), "m0", rankings, steady, (), ()
    )
    html = write.render(comparison)
    assert len(html.encode("utf-8")) < 10_000_000
    data = dashboard_data(comparison)
    assert len(data["runs"]) == 200
    assert all(100 <= len(points[0]) <= 200 for one in data["runs"] for points in one["series"].values())


def test_thinning_keeps_ends_and_spikes() -> None:
    """Of 10,000 points with one spike, a hundred are left: the first, the last, and the spike among them."""
    values = np.random.default_rng(3).normal(0, 1, 10_000)
    values[6789] = 50.0
    steps, kept = thinned(CleanSeries(np.arange(10_000.0), values), 100)
    assert len(steps) <= 100
    assert (steps[0], steps[-1]) == (0, 9999)
    assert steps == sorted(set(steps))
    assert kept[steps.index(6789)] == 50
    short, same = thinned(CleanSeries(np.array([0.5, 1.0]), np.array([1e-9, 123456.5])), 100)
    assert (short, same) == ([0.5, 1], [1e-9, 123456.5])


@pytest.mark.parametrize(
    ("arguments", "status", "reported"),
    [
        (["--runs", "nobody"], 1, "no run is called"),
        (["--runs", "run-a"], 1, "a comparison needs two"),
        (["--runs", "run-*", "--primary-metric", "nope"], 2, "they have"),
        (["--runs", "run-*", "--primary-metric", "lr"], 2, "--better"),
        (["--runs", "run-*", "--better", "lower"], 2, "--primary-metric"),
        (["--runs", "run-*", "--group-by", "nope"], 2, "no run has a setting"),
        (["--runs", "zzz*"], 1, "fits"),
        ([], 2, "--runs"),
    ],
)
def test_mistakes_are_reported_without_a_traceback(
    arguments: list[str],
    status: int,
    reported: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each mistake of a user's has its exit status and says what to do; nothing is written."""
    for name in ("run-a", "run-b"):
        write_run(tmp_path / "runs" / name, {"val_accuracy": [0.1] * 9, "lr": [0.1] * 9}, {"depth": 1})
    monkeypatch.chdir(tmp_path)
    assert cli(["compare", "--from", "runs", *arguments]) == status
    assert reported in capsys.readouterr().err
    assert not (tmp_path / "comparison_reports").exists()


def test_a_damaged_run_is_status_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are compared, the damaged one is named on standard error and in the report."""
    for name in ("a", "b"):
        write_run(tmp_path / name, {"val_accuracy": [0.1] * 9}, {})
    (tmp_path / "bad.jsonl").write_text("[]\n", encoding="utf-8")
    listed = ",".join(str(tmp_path / name) for name in ("a", "b", "bad.jsonl"))
    assert cli(["compare", "--runs", listed, "--output-dir", str(tmp_path / "out")]) == 3
    assert capsys.readouterr().err.count("bad.jsonl: ") == 1
    assert "bad.jsonl" in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")
