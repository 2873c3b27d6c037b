"""Paired model reports: what is read, what is computed, what is odd, what is drawn."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.model_report_charts import ReportRow, front
from exaid_evals.export.model_report_outputs import outputs
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.files.model_reports_numbers import Confusion, over_calls
from exaid_evals.runs.formats.model_reports import ModelReportsFormat

GOLD = Path(__file__).parents[1] / "gold" / "export" / "model_reports"
Record = dict[str, Any]


def metrics(**changes: Any) -> Record:
    """Return the JSON of a report that contradicts itself nowhere."""
    return {
        "model_name": "m",
        "prompt_type": "p",
        "total_attempts": 100,
        "successful_attempts": 97,
        "failed_attempts": 2,
        "timeout_attempts": 1,
        "avg_execution_time": 2.0,
        "prediction_accuracy": 0.53,
        "auc_roc": 0.4699,
        "confusion_matrix": {"tp": 30, "tn": 23, "fp": 27, "fn": 20},
        **changes,
    }


TEXT = "Model: m\nPrompt type: p\nAccuracy: 53.00%\nAUC-ROC: 0.4699\n"


def pair(root: Path, model: str, label: str, data: Record | bytes | None, text: str | bytes | None = None) -> Path:
    """Write a pair of files; None leaves one out."""
    folder = root / model / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    if data is not None:
        content = data if isinstance(data, bytes) else json.dumps(data).encode()
        (folder / f"metrics_{label}.json").write_bytes(content)
    if text is not None:
        (folder / f"report_{label}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def read(root: Path, **settings: Any) -> list[Run]:
    """Read every pair below a folder."""
    reader = ModelReportsFormat(Settings(**settings))
    assert reader.claims(root)
    return [reader.read(source, source.part) for source in reader.sources(root)]


def only(root: Path) -> Run:
    """Read the one pair."""
    [run] = read(root)
    return run


def said(run: Run) -> str:
    """Return the warnings in one text, each of which names the run."""
    assert all(warning.startswith(f"{run.name}: ") for warning in run.warnings)
    return "\n".join(run.warnings)


def test_the_golden_folder_agrees_with_scikit_learn() -> None:
    """Rates, precision, recall, specificity, F1 and durations are those of scikit-learn and the standard library."""
    oracle = json.loads((GOLD / "oracle.json").read_text(encoding="utf-8"))
    runs = {run.name: run for run in read(GOLD / "models")}
    assert set(runs) == set(oracle)
    lone = "our-own-model/zero_shot"  # the text alone, whose numbers are rounded and which has no durations
    for name, expected in oracle.items():
        for key, value in expected.items():
            if name == lone and key.startswith("total_duration"):
                assert runs[name].metrics[key] is None
                continue
            assert runs[name].metrics[key] == pytest.approx(value, abs=1e-4 if name == lone else 1e-9), (name, key)


def test_the_golden_tables_are_as_committed() -> None:
    """The aggregate, its Markdown and LaTeX, and the data behind the figures, byte for byte but for the signature."""
    reader = ModelReportsFormat()
    runs = read(GOLD / "models")
    found = {
        path: re.sub(rb"exaid-evals/[^\s,`}]+", b"SIGNATURE", content)
        for path, content in outputs(runs, reader.settings).items()
        if path.endswith((".csv", ".md", ".tex"))
    }
    assert len(found) == 6
    for path, content in found.items():
        target = GOLD / "expected" / Path(path).name
        if os.environ.get("UPDATE_GOLD"):
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
        assert content.decode() == target.read_text(encoding="utf-8"), path


def test_names_of_folders_say_size_and_quantisation() -> None:
    """The examples that everybody has, and `unknown` where the name does not say."""
    found = {
        run.attributes["model"]: (run.attributes["parameters_b"], run.attributes["quantisation"])
        for run in read(GOLD / "models")
    }
    assert found == {
        "llama3_2_1b-instruct-fp16": (1, "fp16"),
        "qwen2_5_0.5b-q4_K_M": (0.5, "q4_K_M"),
        "phi3_14b": (14, "unknown"),
        "mixtral_8x7b-q8_0": (46.7, "q8_0"),
        "gemma2-27b-it-q5_k_m": (27, "q5_K_M"),
        "our-own-model": ("unknown", "unknown"),
    }


def test_a_pair_that_agrees_has_no_warning(tmp_path: Path) -> None:
    """53.00 % is 0.53, and rounding alone is not a disagreement."""
    pair(tmp_path, "m", "p", metrics(prediction_accuracy=0.53, auc_roc=0.46991), TEXT)
    run = only(tmp_path)
    assert run.warnings == ()
    assert (run.metrics["accuracy"], run.metrics["success_rate"]) == (0.53, 0.97)


def test_halves_that_disagree_are_warned_of(tmp_path: Path) -> None:
    """Accuracy, AUC, counts, prompt: each disagreement is said, and the JSON's number is kept."""
    text = "Prompt type: other\nAccuracy: 54.00%\nAUC-ROC: 0.50\nTotal attempts: 99\nTP: 1\nTN: 1\nFP: 1\nFN: 1\n"
    pair(tmp_path, "m", "p", metrics(), text)
    run = only(tmp_path)
    assert run.metrics["accuracy"] == 0.53
    for part in ("accuracy is 0.53 in the JSON and 0.54", "auc_roc", "total attempts", "matrices", "prompt_type"):
        assert part in said(run)


def test_a_lone_half_is_a_row_with_a_warning(tmp_path: Path) -> None:
    """Neither a JSON without its text nor a text without its JSON is lost."""
    pair(tmp_path, "a", "p", metrics())
    pair(tmp_path, "b", "p", None, TEXT)
    first, second = read(tmp_path)
    assert "metrics_p.json has no report_*.txt" in said(first)
    assert "report_p.txt has no metrics_*.json" in said(second)
    assert (first.metrics["accuracy"], second.metrics["accuracy"]) == (0.53, 0.53)
    assert second.metrics["precision"] is None


def test_halves_whose_times_differ_are_paired_and_said(tmp_path: Path) -> None:
    """Scripts that put the time into names write the two a second apart."""
    pair(tmp_path, "m", "zero_shot_20241219_120000", metrics(prompt_type=None))
    pair(tmp_path, "m", "zero_shot_20241219_120001", None, "Accuracy: 53.00%\n")
    run = only(tmp_path)
    assert run.attributes["prompt_type"] == "zero_shot"
    assert "was paired with report_zero_shot_20241219_120001.txt" in said(run)


@pytest.mark.parametrize(
    ("meta", "mean", "n"),
    [
        ([{"total_duration": 1e9}, {"total_duration": 3e9}], 2e9, 2),
        ({"total_duration": [1e9, 3e9]}, 2e9, 2),
        ({"call-1": {"total_duration": 1e9}, "call-2": {"total_duration": 3e9}}, 2e9, 2),
        ([{"total_duration": [1e9, 2e9]}, {"total_duration": [6e9]}], 3e9, 3),
        ({"total_duration": 2e9}, 2e9, None),
        ({"avg_total_duration": 2e9, "median_total_duration": 1.5e9, "sd_total_duration": 1e8}, 2e9, None),
        ({"total_duration": {"mean": 2e9, "sd": 1e8}}, 2e9, None),
    ],
)
def test_durations_stand_in_lists_of_calls_or_averages(
    tmp_path: Path, meta: object, mean: float, n: int | None
) -> None:
    """Each form that scripts write gives the mean in nanoseconds; the number of calls is known where they stand."""
    pair(tmp_path, "m", "p", metrics(meta_data=meta), TEXT)
    run = only(tmp_path)
    assert (run.metrics["total_duration_mean_ns"], run.attributes["total_duration_n"]) == (mean, n)
    assert run.warnings == ()


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=30))
def test_durations_are_summarised_as_the_standard_library_does(values: list[int]) -> None:
    """Mean, median and the sample form of the standard deviation, None for a single call."""
    found = over_calls(values)
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.median == statistics.median(values)
    assert found.sd == (pytest.approx(statistics.stdev(values)) if len(values) > 1 else None)


@given(*[st.integers(0, 500)] * 4)
def test_rates_are_shares_or_undefined(tp: int, tn: int, fp: int, fn: int) -> None:
    """Every rate lies between 0 and 1; one that divides by nothing is None, never 0."""
    rates = Confusion(tp, tn, fp, fn).rates()
    assert all(rate is None or 0 <= rate <= 1 for rate in rates.values())
    assert (rates["precision"] is None) == (tp + fp == 0)
    assert (rates["recall"] is None) == (tp + fn == 0)
    if rates["precision"] and rates["recall"]:
        harmonic = 2 / (1 / rates["precision"] + 1 / rates["recall"])
        assert rates["f1"] == pytest.approx(harmonic)


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"prediction_accuracy": 53.0}, "prediction_accuracy 53 was read as per cent"),
        ({"prediction_accuracy": 153}, "153 is not a share and was left out"),
        ({"prediction_accuracy": 0.9}, "0.53 follows from the confusion matrix"),
        ({"auc_roc": 46.99}, "auc_roc 46.99 lies outside 0 to 1"),
        ({"auc_roc": "high"}, "auc_roc 'high' is not such a number"),
        ({"confusion_matrix": {"tp": -1, "tn": 1, "fp": 1, "fn": 1}}, "tp is '-1', which is not a count"),
        ({"confusion_matrix": {"tp": 1}}, "tn is missing"),
        ({"confusion_matrix": "none"}, "neither a mapping"),
        ({"total_attempts": 50}, "does not add up"),
        ({"failed_attempts": 1.5}, "failed_attempts '1.5' is not a count"),
        ({"meta_data": [{"total_duration": 2e9}, {"total_duration": "slow"}]}, "1 of the values of total_duration"),
        ({"meta_data": {"total_duration": 2.0}}, "another unit"),
        ({"meta_data": "x"}, "neither a list of calls"),
    ],
)
def test_what_is_odd_is_said(tmp_path: Path, changes: Record, warning: str) -> None:
    """A number that cannot be is left out with a line of its own, and the rest is kept."""
    pair(tmp_path, "m", "p", metrics(**changes), "Prompt type: p\n")
    run = only(tmp_path)
    assert warning in said(run)
    assert run.metrics["success_rate"] is not None or "total_attempts" in changes


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        (b"{broken", "not valid JSON"),
        (b"", "is empty"),
        (b"[1, 2]", "where an object must stand"),
        (b"{}", "has none of the fields"),
        (b"\xff\xff\x00", "not UTF-8|not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_a_half_that_cannot_be_read_costs_itself_alone(tmp_path: Path, data: bytes, warning: str) -> None:
    """Beside a broken JSON the text is still read; where both are broken the run is refused by name."""
    folder = pair(tmp_path, "m", "p", data, TEXT)
    run = only(tmp_path)
    assert re.search(warning, said(run))
    assert run.metrics["accuracy"] == 0.53
    (folder / "report_p.txt").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"metrics_p\.json"):
        read(tmp_path)


def test_a_byte_order_mark_and_nan_are_read(tmp_path: Path) -> None:
    """What spreadsheets and Python write beside the standards: a mark, NaN, UTF-16 text."""
    data = b"\xef\xbb\xbf" + json.dumps(metrics(auc_roc=float("nan"))).encode()
    pair(tmp_path, "m", "p", data, "Accuracy: 53,00 %\n".encode("utf-16"))
    run = only(tmp_path)
    assert (run.metrics["auc_roc"], run.metrics["accuracy"]) == (None, 0.53)
    assert run.warnings == ("m/p: auc_roc 'nan' is not such a number and was left out",)


def test_links_loops_and_locked_folders_stop_nothing(tmp_path: Path) -> None:
    """A loop of links is not followed, a link that leads nowhere and a pipe are reported or passed over."""
    folder = pair(tmp_path, "m", "p", metrics(), TEXT)
    (tmp_path / "m" / "loop").symlink_to(tmp_path)
    (folder / "metrics_gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "metrics_pipe.json")
    reader = ModelReportsFormat()
    sources = reader.sources(tmp_path)
    assert [source.part for source in sources] == ["m/gone", "m/p"]
    with pytest.raises(DataError, match=r"metrics_gone\.json: no such file"):
        reader.read(sources[0], "x")


def test_only_models_with_all_prompts_are_kept_where_that_is_asked(tmp_path: Path) -> None:
    """--require-prompts leaves out models that lack one, names them, and tells spelling apart from another prompt."""
    for model, prompts in (("a", ("zero-shot", "few_shot")), ("b", ("zero_shot",)), ("c", ("zero_shot", "few_shot"))):
        for prompt in prompts:
            written = metrics(prompt_type=prompt, model_name=model)
            pair(tmp_path, model, prompt, written, f"Prompt type: {prompt}\n")
    runs = read(tmp_path, require_prompts=("zero_shot", "few_shot"))
    assert sorted({run.attributes["model"] for run in runs}) == ["a", "c"]
    assert [warning for run in runs for warning in run.warnings] == [
        f"{runs[0].name}: 1 models beside it lack a required prompt type and were left out: b (no few_shot)"
    ]
    with pytest.raises(ConfigError, match="no model has a report for chain; there are few_shot, zero_shot"):
        read(tmp_path, require_prompts=("chain",))
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "c" / "reports")
    pair(tmp_path, "d", "few_shot", metrics(prompt_type="few_shot"), None)
    with pytest.raises(DataError, match="no model has reports for all of zero_shot, few_shot"):
        read(tmp_path, require_prompts=("zero_shot", "few_shot"))


HOSTILE = ("=cmd|' C calc'!A0", 'a b\n"c"', "$\\alpha$ %_#&{}", "模型_7b", "x" * 200)


@pytest.mark.slow
def test_hostile_names_become_text(tmp_path: Path) -> None:
    """Names that a spreadsheet, LaTeX, a formula or a terminal would obey stand as text in every output."""
    for name in HOSTILE:
        pair(tmp_path / "in put", name, "p", metrics(), TEXT)
    out = tmp_path / "out"
    assert cli(["export", "--run", str(tmp_path / "in put"), "--out", str(out)]) == 0
    place = out / "aggregate_reports" / "in put"
    with (place / "aggregate_model_reports.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(HOSTILE)
    assert not any(value.lstrip().startswith(("=", "+", "@")) for row in rows for value in row.values())
    assert {row["model"].removeprefix("'") for row in rows} == set(HOSTILE)
    for name in ("accuracy_by_model", "latency_against_accuracy", "confusion_matrices"):
        assert (place / "figures" / f"{name}.png").stat().st_size > 5000
        assert (place / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    if shutil.which("pdflatex"):
        document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{t}\end{document}"
        shutil.copyfile(place / "aggregate_model_reports.tex", tmp_path / "t.tex")
        (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]


@pytest.mark.slow
def test_outputs_repeat_byte_for_byte_and_do_not_depend_on_the_place(tmp_path: Path) -> None:
    """A copy elsewhere gives the same files."""
    copies = [tmp_path / name / "models" for name in ("one", "two")]
    found = []
    for copy in copies:
        shutil.copytree(GOLD / "models", copy)
        found.append(dict(outputs(read(copy), Settings())))
    assert found[0] == found[1]


@pytest.mark.slow
def test_sixty_models_stay_readable(tmp_path: Path) -> None:
    """No page is higher than a sheet of paper, and every model and matrix is on one of them."""
    for number in range(60):
        for prompt in ("a", "b", "c"):
            counts = {"tp": 30, "tn": 23, "fp": 27, "fn": 20}
            pair(tmp_path, f"model-{number:02d}", prompt, metrics(prompt_type=prompt, confusion_matrix=counts))
    made = outputs(read(tmp_path), Settings())
    pages = [name for name in made if "confusion_matrices_" in name and name.endswith(".pdf")]
    assert len(pages) == 3
    texts = []
    for name in (*pages, next(name for name in made if name.endswith("accuracy_by_model.pdf"))):
        [page] = PdfReader(io.BytesIO(made[name])).pages
        assert page.mediabox.height / 72 < 9.7
        texts.append(page.extract_text())
    for number in range(60):
        assert f"model-{number:02d}" in texts[-1]
        assert any(f"model-{number:02d}" in text for text in texts[:-1])


@given(
    st.lists(st.tuples(st.floats(0.01, 100), st.floats(0, 1)), min_size=1, max_size=25, unique_by=lambda point: point)
)
def test_the_front_is_what_no_other_beats(points: list[tuple[float, float]]) -> None:
    """A point is on the front exactly if no other is at least as good in both and better in one."""
    rows = [ReportRow(str(n), "p", accuracy, latency, "x", None, None) for n, (latency, accuracy) in enumerate(points)]
    expected = {
        row.model
        for row, (latency, accuracy) in zip(rows, points, strict=True)
        if not any(
            other_latency <= latency and other >= accuracy and (other_latency, other) != (latency, accuracy)
            for other_latency, other in points
        )
    }
    assert {row.model for row in front(rows)} == expected


@pytest.mark.slow
def test_two_folders_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    """Both aggregates are written, each under as much of its path as tells them apart."""
    for lab in ("lab-1", "lab-2"):
        pair(tmp_path / lab / "models", "m", "p", metrics(), TEXT)
    out = tmp_path / "out"
    runs = [argument for lab in ("lab-1", "lab-2") for argument in ("--run", str(tmp_path / lab / "models"))]
    assert cli(["export", *runs, "--out", str(out)]) == 0
    assert sorted(path.name for path in (out / "aggregate_reports").iterdir()) == ["lab-1_models", "lab-2_models"]
