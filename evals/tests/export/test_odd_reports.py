"""Model reports as people write them: commas in thousands, duplicate lines, other folders, calls without numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as cli
from exaid_evals.runs.files.model_reports_txt import AmbiguousError, read_number
from exaid_evals.runs.formats.model_reports import ModelReportsFormat
from export.test_model_reports import TEXT, metrics, only, pair


@pytest.mark.parametrize(
    ("text", "total", "successful", "rate"),
    [
        ("Total attempts: 1,000\nSuccessful attempts: 940\nAccuracy: 53.5%\n", 1000, 940, 0.94),
        ("Total attempts: 1,000\nSuccessful attempts: 940\nAccuracy: 53,5%\n", None, 940, None),
        ("Total attempts: 1.000\nSuccessful attempts: 940\nAccuracy: 53,5%\n", 1000, 940, 0.94),
        ("Total attempts: 1 234 567\nSuccessful attempts: 617 283,5\nAccuracy: 50%\n", 1234567, None, None),
        ("Total attempts: 1'000\nSuccessful attempts: 500\n", 1000, 500, 0.5),
    ],
)
def test_thousands_are_thousands(
    tmp_path: Path, text: str, total: int | None, successful: int, rate: float | None
) -> None:
    """1,000 attempts are no single one; where a comma stands before decimals it is not a count, and is left out."""
    pair(tmp_path, "m", "p", None, text)
    run = only(tmp_path)
    assert run.attributes["total_attempts"] == total
    assert run.attributes["successful_attempts"] == successful
    assert run.metrics["success_rate"] == rate


def test_what_may_be_two_numbers_is_reported_and_left_out(tmp_path: Path) -> None:
    """1,250 ms with no other number to say which; where another number says it, it is read."""
    pair(tmp_path / "a", "m", "p", None, "Successful attempts: 940\nAverage execution time: 1,250 ms\n")
    run = only(tmp_path / "a")
    assert run.metrics["execution_time_mean_s"] is None
    assert any("1,250 may be a thousand and more, or have three decimals" in line for line in run.warnings)
    for place, other, seconds in (("b", "AUC: 0.46", 1.25), ("c", "AUC: 0,46", 0.00125)):
        pair(tmp_path / place, "m", "p", None, f"{other}\nAverage execution time: 1,250 ms\n")
        assert only(tmp_path / place).metrics["execution_time_mean_s"] == pytest.approx(seconds)


@given(st.integers(0, 10**9))
def test_every_count_survives_every_way_of_writing_it(count: int) -> None:
    """Python's and the locales' groups of three are the number itself."""
    for written in (str(count), f"{count:,}", f"{count:_}", f"{count:,}".replace(",", "'")):
        found = read_number(f"{written} attempts", None, whole=True)
        assert found is not None
        assert found.value == count


@given(st.floats(0, 1e6).map(lambda value: round(value, 2)))
def test_decimals_survive_both_signs(value: float) -> None:
    """With and without groups, behind a point or a comma."""
    english, german = f"{value:,.2f}", f"{value:,.2f}".translate(str.maketrans(",.", ".,"))
    for written in (english, german, f"{value:.2f}"):
        found = read_number(written, None)
        assert found is not None
        assert (found.value, found.half_a_step) == (pytest.approx(value), 0.005)


def test_a_point_before_three_digits_of_a_count_is_not_guessed() -> None:
    """1.000 attempts are a thousand in one country, and no count in another."""
    with pytest.raises(AmbiguousError):
        read_number("1.000", None, whole=True)


@pytest.mark.parametrize("line", ["Accuracy: 90.00%", "TP: 31", "Total attempts: 99", "Average execution time: 3 s"])
def test_a_line_that_is_a_duplicate_is_reported(tmp_path: Path, line: str) -> None:
    """The first counts, and the other is named; the same number again is nothing to tell."""
    text = "Accuracy: 53.00%\nTP: 30\nTN: 23\nFP: 27\nFN: 20\nTotal attempts: 100\nAverage execution time: 2 s\n"
    pair(tmp_path / "twice", "m", "p", metrics(), f"{text}{line}\n")
    warnings = only(tmp_path / "twice").warnings
    assert len(warnings) == 1
    assert "twice, as " in warnings[0]
    pair(tmp_path / "same", "m", "p", metrics(), text + text)
    assert only(tmp_path / "same").warnings == ()


def test_no_rate_is_above_one(tmp_path: Path) -> None:
    """More successes than attempts: the rate is undefined, and both counts are reported."""
    pair(tmp_path, "m", "p", metrics(total_attempts=10, successful_attempts=12, failed_attempts=0, timeout_attempts=0))
    run = only(tmp_path)
    assert run.metrics["success_rate"] is None
    assert any("12 of 10 attempts are said to be successful" in line for line in run.warnings)


@pytest.mark.parametrize(
    ("meta", "mean", "n", "reported"),
    [
        ([{"total_duration": 1e9}, {"total_duration": float("nan")}], 1e9, 1, "1 of the values of total_duration"),
        ([{"total_duration": 1e9}, {"total_duration": float("inf")}], 1e9, 1, "1 of the values of total_duration"),
        ([{"total_duration": 1e9}, {"total_duration": None}, {}], 1e9, 1, "absent or null in 2 of 3 calls"),
        ([{"total_duration": 1e9}, "x", 7], 1e9, 1, "2 of 3 entries of meta_data are not calls"),
        ({"a": {"total_duration": 1e9}, "b": {}}, 1e9, 1, "absent or null in 1 of 2 calls"),
    ],
)
def test_calls_that_say_nothing_are_counted(tmp_path: Path, meta: object, mean: float, n: int, reported: str) -> None:
    """NaN, infinity, null, absence and text: each is left out of the mean, and told with its number."""
    pair(tmp_path, "m", "p", json.dumps(metrics(meta_data=meta)).encode(), TEXT)
    run = only(tmp_path)
    assert (run.metrics["total_duration_mean_ns"], run.attributes["total_duration_n"]) == (mean, n)
    assert [line for line in run.warnings if reported in line]


def test_averages_alone_are_no_calls(tmp_path: Path) -> None:
    """A mapping from each duration to its averages lacks nothing."""
    meta = {"total_duration": {"avg": 1e9, "median": 9e8}, "eval_duration": [1e8, 2e8]}
    pair(tmp_path, "m", "p", metrics(meta_data=meta), TEXT)
    run = only(tmp_path)
    assert (run.metrics["total_duration_mean_ns"], run.metrics["eval_duration_mean_ns"]) == (1e9, 1.5e8)
    assert not [line for line in run.warnings if "absent" in line]


def test_a_report_without_a_label_is_a_row(tmp_path: Path) -> None:
    """`metrics_.json` with `report_.txt`: a pair, whose prompt is that of the JSON."""
    pair(tmp_path, "m", "", metrics(), TEXT)
    run = only(tmp_path)
    assert (run.name, run.attributes["prompt_type"], run.attributes["report_file"]) == ("m/unnamed", "p", "report_.txt")


def beside(root: Path, model: str) -> None:
    """Write a pair into the model's folder itself."""
    (root / model).mkdir(parents=True)
    (root / model / "metrics_p.json").write_text(json.dumps(metrics()), encoding="utf-8")
    (root / model / "report_p.txt").write_text(TEXT, encoding="utf-8")


def test_reports_in_the_models_own_folder_are_found(tmp_path: Path) -> None:
    """Beside models with `reports/`, and where the model's folder itself is named."""
    beside(tmp_path, "llama3_2_1b-instruct-fp16")
    pair(tmp_path, "phi3_14b", "p", metrics(), TEXT)
    reader = ModelReportsFormat()
    parts = [source.part for source in reader.sources(tmp_path)]
    assert parts == ["llama3_2_1b-instruct-fp16/p", "phi3_14b/p"]
    run = only(tmp_path / "llama3_2_1b-instruct-fp16")
    assert (run.attributes["model"], run.attributes["parameters_b"]) == ("llama3_2_1b-instruct-fp16", 1)


@pytest.mark.parametrize(("pattern", "table"), [("models", "models"), ("models/*", "models"), ("mod*", "models")])
def test_patterns_over_models_make_one_table(tmp_path: Path, pattern: str, table: str) -> None:
    """Whether the folder of models is matched or each model in it."""
    beside(tmp_path / "models", "a_1b")
    pair(tmp_path / "models", "b_2b", "p", metrics(prediction_accuracy=0.54), TEXT)
    out = tmp_path / "out"
    assert cli(["export", "--runs", f"{tmp_path}/{pattern}", "--out", str(out)]) == 0
    assert [path.name for path in (out / "aggregate_reports").iterdir()] == [table]
    text = (out / "aggregate_reports" / table / "aggregate_model_reports.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ["a_1b", "b_2b"]
