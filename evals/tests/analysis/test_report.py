"""The verb and its files: true to the analysis, valid, the same bytes again, and safe against hostile names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from analysis.histories import noisy, series, simulated
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.report.write import folder_name, write_report
from exaid_evals.analysis.stage import analyse
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.runs.history import History

HOSTILE = '"><script>alert(1)</script>|`x`![i](http://a)\x1b[2J\u202e'

_ALLOWED = "html head meta title style body main div h1 h2 h3 p table thead tbody tr th td ul li img footer"


def planted(folder: Path, name: str = "run-a") -> Path:
    """Write a run whose learning rate jumps at step 120 of 200, and whose accuracy falls with it."""
    rng = np.random.default_rng(5)
    rows = []
    for step in range(200):
        bad = step >= 120
        row = {"step": step, "lr": 0.5 if bad else 0.01, "train_loss": (2.0 if bad else 0.5) + rng.normal(0, 0.02)}
        if step % 5 == 4:
            row["val_accuracy"] = (0.5 if bad else 0.9) + rng.normal(0, 0.01)
        rows.append(json.dumps(row))
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


class _Tags(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_verb_names_the_planted_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A jump of the learning rate is found, dated and named, in every file of the report."""
    planted(tmp_path)
    out = tmp_path / "reports"
    assert cli(["analyze", "--run-name", "run-a", "--from", str(tmp_path), "--output-dir", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "the evidence points to optimisation" in shown
    folder = out / "run-a"
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert not list(violations(summary))
    assert summary["root_cause"]["named"] == "optimisation"
    low, high = summary["root_cause"]["interval"]
    assert low <= 120 <= high + 1
    one = summary["performance_metrics"]["val_accuracy"]
    assert one["drop"] == pytest.approx(one["best"] - one["final"], abs=2e-6)
    report = (folder / "report.md").read_text(encoding="utf-8")
    for heading in (
        "Executive summary",
        "Metrics",
        "Plots",
        "Incidents",
        "Root cause",
        "Data quality",
        "Configuration",
    ):
        assert f"## {heading}" in report
    assert "lr rose 50-fold at step 120" in report
    assert all((folder / path).is_file() for path in re.findall(r"\]\((plots/\d+\.png)\)", report))
    request = (folder / "analysis_request.md").read_text(encoding="utf-8")
    for heading in ("## Context", "## Technical details", "## Questions"):
        assert heading in request
    assert "1. (high)" in request
    assert cli(["validate", str(folder / "summary.json")]) == 0


def test_the_entry_script_is_the_verb(tmp_path: Path) -> None:
    """`python src/analyze_experiment.py` takes the same options."""
    planted(tmp_path)
    script = Path(__file__).resolve().parents[2] / "src" / "analyze_experiment.py"
    arguments = ["--run-name", "run-a", "--source", "jsonl", "--output-dir", "reports"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "run-a" / "report.html").is_file()


def test_reports_have_the_same_bytes_again(tmp_path: Path) -> None:
    """Neither clock nor hash order reaches a report."""
    analysis = analyse(simulated("learning_rate_jump", 3001))
    first, second = (write_report(analysis, tmp_path / name) for name in "ab")
    for path in sorted(path for path in first.rglob("*") if path.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """A run, a metric and a setting with markup give no tag, no link, no control character, no path upwards."""
    values = noisy(60)
    values[30:] -= 0.4
    history = History(
        f"../{HOSTILE}",
        "csv",
        {
            f"val_accuracy{HOSTILE}": series(values, f"val_accuracy{HOSTILE}"),
            "val_loss": series(1 - values, "val_loss"),
        },
        config={HOSTILE: HOSTILE},
        warnings=(HOSTILE,),
    )
    folder = write_report(analyse(history), tmp_path)
    assert folder.parent == tmp_path
    page = (folder / "report.html").read_text(encoding="utf-8")
    parser = _Tags()
    parser.feed(page)
    allowed = set(_ALLOWED.split())
    assert {tag for tag, _ in parser.tags} <= allowed
    sources = [attributes.get("src") or "" for tag, attributes in parser.tags if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not any(name.startswith("on") for _, attributes in parser.tags for name in attributes)
    for name in ("report.html", "report.md", "analysis_request.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text
    for name in ("report.md", "analysis_request.md"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(r"(?<!\\)<script", text)
        assert not re.search(r"(?<!\\)\]\(http", text)


def test_folder_names_are_safe_and_differ() -> None:
    """Names that only differ in what is replaced get folders of their own."""
    assert folder_name("run-1") == "run-1"
    assert folder_name("a/b") != folder_name("a:b")
    assert "/" not in folder_name("../../etc")
    assert folder_name("..") not in ("..", ".", "")


def test_a_summary_is_valid_for_every_kind_of_run() -> None:
    """Clean and troubled runs alike give valid records; undefined numbers are null."""
    for kind, index in ((None, 900_000), ("loss_scale_collapse", 5000), ("validation_order_changed", 8000)):
        assert not list(violations(summary_record(analyse(simulated(kind, index)))))


def test_a_second_analysis_in_the_file_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A summary file holds one analysis; with two of them a reader would take either."""
    path = write_report(analyse(simulated("validation_order_changed", 8000)), tmp_path) / "summary.json"
    twice = path.with_suffix(".jsonl")
    twice.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert cli(["validate", str(twice)]) == 1
    assert "a second record" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "status", "reported"),
    [
        (["--run-name", "nobody"], 1, "no run is called"),
        (["--run-name", "run-a", "--primary-metric", "nope"], 2, "the run has"),
        (["--run-name", "run-a", "--primary-metric", "lr"], 2, "--better"),
        (["--run-name", "run-a", "--better", "lower"], 2, "--primary-metric"),
        (["--run-name", "run-a", "--better", "val_accuracy=up"], 2, "NAME=higher"),
        (["--run-name", "run-a", "--better", "nope=lower"], 2, "no metric 'nope'"),
        (["--run-name", "run-a", "--better", "lr=lower", "--better", "lr=higher"], 2, "two things"),
        (["--run-name", "run-a", "--analysis-config", "bad.yaml"], 2, "overfitting"),
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
    planted(tmp_path)
    (tmp_path / "bad.yaml").write_text("overfiting: {min_rise: 0.1}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli(["analyze", "--from", str(tmp_path), *arguments]) == status
    assert reported in capsys.readouterr().err
    assert not (tmp_path / "experiment_reports").exists()


def test_a_direction_that_the_user_says_counts(tmp_path: Path) -> None:
    """A metric of an unknown name is analysed once its direction is said."""
    values = noisy(60)
    values[30:] -= 0.5
    lines = "\n".join(json.dumps({"step": step, "quality": value}) for step, value in enumerate(values))
    (tmp_path / "run-b.jsonl").write_text(lines + "\n", encoding="utf-8")
    options = ["--better", "quality=higher", "--output-dir", str(tmp_path / "out")]
    assert cli(["analyze", "--run-name", "run-b", "--from", str(tmp_path), *options]) == 0
    summary = json.loads((tmp_path / "out" / "run-b" / "summary.json").read_text(encoding="utf-8"))
    assert summary["root_cause"]["metric"] == "quality"
    assert summary["performance_metrics"]["quality"]["direction"] == "higher"


def test_an_edited_report_is_found_by_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a folder of reports `verify` says which were changed; the same analysis mends it."""
    run_file = tmp_path / "one.csv"
    run_file.write_text("epoch,val_loss\n" + "".join(f"{at},{1 / at}\n" for at in range(1, 9)))
    out = tmp_path / "reports"
    analyze = ["analyze", str(run_file), "--output-dir", str(out)]
    assert cli(analyze) == 0
    for folder in (out, out / "one"):
        assert cli(["verify", "--data-dir", str(folder)]) == 0
    report = out / "one" / "report.md"
    report.write_text(report.read_text(encoding="utf-8") + "No cause was found.\n", encoding="utf-8")
    capsys.readouterr()
    for folder in (out, out / "one"):
        assert cli(["verify", "--data-dir", str(folder)]) == 1
        shown = capsys.readouterr().out
        assert "report.md: changed since it was written; run the same `exaid-evals analyze` again" in shown
        assert "holds no campaign; its 4 files of reports are held against their hashes" in shown
    assert cli(analyze) == 0
    assert cli(["verify", "--data-dir", str(out)]) == 0


def test_an_edited_comparison_is_found_by_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `compare` wrote is held against its hashes too."""
    for name, best in (("one", 0.5), ("two", 0.4)):
        rows = "".join(f"{at},{best + 1 / at}\n" for at in range(1, 9))
        (tmp_path / f"{name}.csv").write_text("epoch,val_loss\n" + rows)
    out = tmp_path / "out"
    assert cli(["compare", *(str(tmp_path / f"{name}.csv") for name in ("one", "two")), "--output-dir", str(out)]) == 0
    assert cli(["verify", "--data-dir", str(out)]) == 0
    (out / "comparison.csv").write_text("run\n", encoding="utf-8")
    capsys.readouterr()
    assert cli(["verify", "--data-dir", str(out)]) == 1
    shown = capsys.readouterr().out
    assert "comparison.csv: changed since it was written; run the same `exaid-evals compare` again" in shown
