"""What `analyze`, `compare` and `impact` share: folders of reports, numbers that overflow, options from a file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from analysis.compare.runs import curve, run, write_run
from analysis.histories import series
from exaid_evals.analysis.compare.collect import flat_settings
from exaid_evals.analysis.compare.final_means import ends_differ, ends_diverged
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.analysis.compare.performance import rank
from exaid_evals.analysis.compare.recommend import verdict
from exaid_evals.analysis.impact.associations import parameters_of
from exaid_evals.analysis.report.write import write_files
from exaid_evals.anomalies.base import DetectionSettings
from exaid_evals.anomalies.registry import streamed
from exaid_evals.cli.histories import require_writable
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError
from exaid_evals.runs.history import LARGEST

VERBS = [
    ["analyze", "--run-name", "a", "--from", "runs"],
    ["compare", "--runs", "a,b", "--from", "runs"],
    ["impact", "--runs", "a,b", "--from", "runs"],
]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs below `runs` in the working directory."""
    for seed, name in enumerate("ab"):
        write_run(tmp_path / "runs" / name, {"val_accuracy": curve(np.random.default_rng(seed))}, {"seed": seed})
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_folder_that_cannot_be_is_wrong_usage_before_any_work(
    verb: list[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in the way of the output is status 2 and named, and nothing has been read or printed before."""
    (runs / "file").write_text("", encoding="utf-8")
    assert cli([*verb, "--output-dir", "file/below"]) == 2
    reported = capsys.readouterr()
    assert reported.out == ""
    assert "--output-dir file/below" in reported.err
    assert "is not a folder" in reported.err
    assert "--data-dir" not in reported.err


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_run_is_named_by_its_place_alone_or_by_the_option(
    verb: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both say the same; neither, or both, is wrong usage; what the environment names gives way to the argument."""
    name, option, value, *more = verb
    reported = []
    for given in ([option, value], value.split(",")):
        assert cli([name, *given, *more, "--output-dir", "out"]) == 0
        reported.append(capsys.readouterr().out)
    assert reported[0] == reported[1]
    for given, why in (([], "no run is named"), ([value, option, value], "two ways")):
        assert cli([name, *given, *more]) == 2
        assert why in capsys.readouterr().err
    monkeypatch.setenv(f"EXAID_{option.strip('-').replace('-', '_').upper()}", "nothing-of-this-name")
    assert cli([name, *value.split(","), *more, "--output-dir", "out"]) == 0
    assert capsys.readouterr().out == reported[0]


def test_a_folder_that_may_not_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may write everywhere: what the system says of the folder is replaced."""
    require_writable(tmp_path / "not" / "there" / "yet")
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path) != tmp_path)
    with pytest.raises(ConfigError, match="cannot be written"):
        require_writable(tmp_path / "not" / "there" / "yet")


def test_pictures_of_an_earlier_report_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """A report of two metrics over one of three leaves two pictures, and what is the user's."""
    write_files(tmp_path, {"a.md": "a"}, {"x": b"1", "y": b"2", "z": b"3"})
    (tmp_path / "plots" / "mine.png").write_bytes(b"")
    write_files(tmp_path, {"a.md": "b"}, {"x": b"4"})
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["01.png", "mine.png"]
    write_files(tmp_path, {"b.md": "b"})  # a report without plots leaves those of the other one in its folder
    assert (tmp_path / "plots" / "01.png").read_bytes() == b"4"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_values_that_overflow_count_as_infinite(
    verb: list[str], runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss of 1e300 is reported, and neither an error nor a warning of NumPy's."""
    for name in "ab":
        huge = [1e300 * (-1) ** step for step in range(60)]
        values = {"val_accuracy": curve(np.random.default_rng(1)), "train_loss": huge}
        (runs / "runs" / name / "history.jsonl").unlink()
        (runs / "runs" / name / "config.json").unlink()
        (runs / "runs" / name).rmdir()
        write_run(runs / "runs" / name, values, {"seed": ord(name)})
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert cli([*verb, "--output-dir", "out"]) == 0
    reported = "".join(capsys.readouterr())
    assert "Overflow" not in reported
    assert "train_loss" in reported


def test_the_greatest_value_that_counts_is_computed_with() -> None:
    """Up to 1e100 a value is a number; beyond it the series is undefined there, and an anomaly says so."""
    fine, over = series([1.0] * 9 + [LARGEST]), series([1.0] * 5 + [2 * LARGEST] * 5)
    assert len(fine.clean) == 10
    assert len(over.clean) == 5
    assert [one.kind for one in over.irregularities] == ["infinite"]
    assert ends_diverged(over)
    first, *_ = streamed({over.metric: over}, DetectionSettings(), {over.metric: "lower"})
    assert (first.kind, first.step, first.evidence["value"]) == ("not_finite", 5.0, "infinite")


def test_whole_numbers_beyond_all_floats_are_settings() -> None:
    """10⁴⁰⁰ as a setting is text, and no OverflowError of an analysis that would take it for a number."""
    settings = [flat_settings({"big": 10**400 + at % 2}) for at in range(4)]
    (found,) = parameters_of(settings).varying
    assert not found.numeric


def test_steps_below_zero_end_where_they_end() -> None:
    """Equal last steps do not differ, whatever their sign; 5 % more do."""
    assert not ends_differ([-10.0, -10.0])
    assert not ends_differ([100.0, 104.0])
    assert ends_differ([100.0, 106.0])
    assert ends_differ([-10.0, 10.0])


def test_the_metric_of_a_file_may_be_given_its_direction(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--better` is of the primary metric, also where a configuration and no option names that."""
    (runs / "analysis.yaml").write_text("primary_metric: val_accuracy\n", encoding="utf-8")
    options = ["--analysis-config", "analysis.yaml", "--better", "lower", "--output-dir", "out"]
    assert cli([*VERBS[1], *options]) == 0
    assert "val_accuracy (lower is better)" in capsys.readouterr().out
    record = json.loads((runs / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert record["metrics"][0]["direction"] == "lower"


def test_the_only_configuration_is_reported_as_one() -> None:
    """Of one group the report does not say that only it has the metric; of several it does, and of how many."""
    alone = [run(f"s{seed}", {"val_accuracy": [0.5, 0.6]}, {"seed": seed}) for seed in range(2)]
    other = run("bare", {"train_loss": [1.0]}, {"lr": 1, "seed": 0})
    for runs_of, expected in ((alone, "of the one configuration there is"), ([*alone, other], "of 2 groups only")):
        found = rank(group_runs(runs_of).groups, "val_accuracy", "higher")
        assert found is not None
        assert expected in verdict(found)


def test_rhythms_of_long_series_are_found_by_their_spectrum() -> None:
    """The products of 9,000 points are those of NumPy's correlate, and a swing of 60 points is found among them."""
    from exaid_evals.anomalies.retrospective import Oscillation
    from exaid_evals.anomalies.robust import _LONG, _products

    values = np.random.default_rng(1).normal(0, 1, 4 * _LONG + 1000)
    expected = np.correlate(values, values, "full")[len(values) : len(values) + 50]
    np.testing.assert_allclose(_products(values, 50), expected, atol=1e-9)
    short = values[:_LONG]
    np.testing.assert_allclose(_products(short, 50), np.correlate(short, short, "full")[_LONG : _LONG + 50], atol=1e-9)
    swing = 0.5 + 0.2 * np.sin(2 * np.pi * np.arange(4 * _LONG + 1000) / 60)
    (found,) = Oscillation().find(series(swing), "lower")
    assert found.evidence["period_points"] % 60 == 0
