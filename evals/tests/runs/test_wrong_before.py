"""What was read wrongly of other people's runs, each by a made-up twin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.export.reading import read_runs
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.model_names import load_patterns, parse_model_name
from exaid_evals.runs.registry import format_of
from export.training_runs import write_run


def report(folder: Path, model: str, **changes: Any) -> None:
    """Write a pair as the program behind the format writes it: averages over calls, accuracy per cent."""
    data = {
        "model_name": "small:1.5b",
        "prompt_type": "PromptType.SYSTEM1",
        "total_attempts": 10, "successful_attempts": 10, "failed_attempts": 0, "timeout_attempts": 0,
        "prediction_accuracy": 60.416666, "confusion_matrix": {"tp": 30, "tn": 28, "fp": 18, "fn": 20},
        "meta_data_averages": {"total_duration": 1.2e9, "eval_count": 216.9, "load_duration": 2.6e7},
        "meta_data_sd": {"total_duration": 5e8, "load_duration": 1e7},
    }  # fmt: skip
    reports = folder / model / "reports"
    reports.mkdir(parents=True)
    (reports / f"metrics_{model}_system1_20250115_103007.json").write_text(json.dumps({**data, **changes}))
    text = "Prompt Type: PromptType.SYSTEM1\nAccuracy: 60.42%\n"
    (reports / f"report_{model}_system1_20250115_103007.txt").write_text(text)


def runs_of(folder: Path, **settings: Any) -> tuple[Run, ...]:
    """Read a folder as an export does."""
    return read_runs([folder], settings=Settings(**settings)).runs


def test_durations_that_stand_as_averages_are_read(tmp_path: Path) -> None:
    """`meta_data_averages` and `meta_data_sd`; per cent that the text confirms is nothing to tell."""
    report(tmp_path, "small_1_5b")
    [run] = runs_of(tmp_path)
    assert run.metrics["total_duration_mean_ns"] == 1.2e9
    assert run.metrics["total_duration_sd_ns"] == 5e8
    assert run.metrics["accuracy"] == pytest.approx(0.60416666)
    assert run.warnings == ()


def test_a_model_in_the_wrong_folder_and_unread_numbers_are_reported(tmp_path: Path) -> None:
    """The name in the file is held against the folder's; numbers of calls under another key are not passed over."""
    report(tmp_path, "large_70b", meta_data_quantiles={"total_duration": 1.0})
    [run] = runs_of(tmp_path)
    assert any("'small:1.5b'" in warning and "'large_70b'" in warning for warning in run.warnings)
    assert any("meta_data_quantiles" in warning for warning in run.warnings)


@pytest.mark.parametrize("wanted", ["system1", "SYSTEM1", "PromptType.SYSTEM1"])
def test_a_prompt_type_is_a_member_of_an_enumeration(tmp_path: Path, wanted: str) -> None:
    """However the user and the file write it."""
    report(tmp_path, "small_1_5b")
    assert len(runs_of(tmp_path, require_prompts=(wanted,))) == 1


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("deepseek_r1_1_5b", 1.5), ("exaone3_5_7_8b", 7.8), ("llama3_2_1b", 1.0), ("qwen2_5_0_5b", 0.5),
        ("phi3_3_8b", 3.8), ("yi_coder_1_5b", 1.5), ("llama_3_8b", 8.0), ("gemma2_27b", 27.0), ("granite3_1_2b", 2.0),
    ],
)  # fmt: skip
def test_underscores_in_the_names_of_models(name: str, billions: float) -> None:
    """A version's point and a size's are both written as underscores."""
    assert parse_model_name(name, load_patterns()).billions == billions


def test_the_first_trial_of_a_search_is_one(tmp_path: Path) -> None:
    """`results` and `results_1` are two trials, and what lies beside them and is none is reported."""
    for number, name in enumerate(("results", "results_1")):
        write_run(tmp_path / "hpo_runs" / name, metrics={}, seed=42, predictions=shifted(number))
    (tmp_path / "hpo_runs" / "scratch").mkdir()
    reading = read_runs([tmp_path / "hpo_runs"])
    assert [(run.trial, run.group) for run in reading.runs] == [("0", "hpo_runs"), ("1", "hpo_runs")]
    assert any("scratch" in note for note in reading.notes)


def test_a_folder_of_runs_over_seeds_may_be_named(tmp_path: Path) -> None:
    """Its runs are those of `results_*`, and nothing of them makes it a search."""
    for seed in (4, 5):
        write_run(tmp_path / "net" / f"results_{seed}", metrics={}, seed=seed, predictions=shifted(seed))
    assert [(run.seed, run.trial) for run in runs_of(tmp_path / "net")] == [(4, None), (5, None)]


def shifted(number: int) -> str:
    """Return predictions of four classes from 0, of which a few depend on the number."""
    rows = [f"i{at},{at % 4},{(at + (at % 7 == number % 7)) % 4}" for at in range(60)]
    return "id,y_true,y_pred\n" + "\n".join(rows) + "\n"


def classes_of(text: str, first: int) -> dict[str, Any]:
    """Return a classification report of predictions, its classes numbered from another number."""
    pairs = [tuple(map(int, line.split(",")[1:])) for line in text.splitlines()[1:]]
    found = {}
    for of in range(4):
        hits = sum(true == of == guess for true, guess in pairs)
        found[str(of + first)] = {
            "precision": hits / sum(guess == of for _, guess in pairs),
            "recall": hits / sum(true == of for true, _ in pairs),
        }
    return found


def test_classes_that_are_numbered_from_one_are_matched(tmp_path: Path) -> None:
    """Values that agree say which is which, and the items are those of the same class."""
    text = shifted(3)
    run_folder = write_run(tmp_path / "r", metrics={"classification_report": classes_of(text, 1)}, predictions=text)
    [run] = runs_of(run_folder)
    assert list(run.per_class) == ["1", "2", "3", "4"]
    assert run.predictions is not None
    assert run.predictions.support == {"1": 15, "2": 15, "3": 15, "4": 15}
    assert any("0 is 1" in warning for warning in run.warnings)


def test_classes_that_cannot_be_matched_have_no_items(tmp_path: Path) -> None:
    """Where values disagree nothing says which class is which."""
    from exaid_evals.export.stage import consolidate
    from exaid_evals.export.tables import class_table

    text = shifted(3)
    wrong = {name: {"precision": 0.1, "recall": 0.1} for name in ("1", "2", "3", "4")}
    runs = runs_of(write_run(tmp_path / "r", metrics={"classification_report": wrong}, predictions=text))
    table = class_table(consolidate(runs), "s")
    assert table is not None
    assert {values[-1] for _, values in table.rows} == {None}


LM = {
    "results": {"boolq": {"acc,none": 0.5, "acc_stderr,none": 0.1}},
    "versions": {"boolq": 1},
    "config": {
        "model": "hf",
        "model_args": "pretrained=me/tiny-1b,dtype=float16",
        "random_seed": 0,
        "numpy_seed": 1234,
    },
}


@pytest.mark.parametrize("name", ["results_bloom.json", "mine-res.json", "tiny_2025-12-17T20-24-58.608862.json"])
def test_results_of_the_harness_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    """Whatever the file is called; the run by its model and task, and the default seed is none."""
    (tmp_path / name).write_text(json.dumps(LM, indent=2))
    (tmp_path / "other.json").write_text(json.dumps({"results": {"acc": 0.5}}))
    assert format_of(tmp_path).name == "lm_eval"
    [run] = runs_of(tmp_path)
    assert (run.name, run.seed, dict(run.metrics)) == ("tiny-1b boolq", None, {"boolq.acc": 0.5})


def test_samples_are_linked(tmp_path: Path) -> None:
    """Those that bear the time of the results file."""
    stamp = "2025-12-17T20-24-58.608862"
    (tmp_path / f"results_{stamp}.json").write_text(json.dumps(LM))
    for name in (f"samples_boolq_{stamp}.jsonl", "samples_boolq_2024-01-01T00-00-00.jsonl"):
        (tmp_path / name).write_text("{}\n")
    [run] = runs_of(tmp_path)
    assert run.attributes["samples_files"] == [f"samples_boolq_{stamp}.jsonl"]
