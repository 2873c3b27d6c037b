"""What is wrong with runs or between them is said, with what to look at; what is right is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import consolidate
from exaid_evals.runs.base import Run
from export.training_runs import PREDICTIONS, shifted, write_run


def warnings_of(*folders: Path, by: str | None = None) -> list[str]:
    """Read folders and return the warnings of their export."""
    return list(consolidate(read_runs(list(folders)).runs, by=by).warnings)


def sound(tmp_path: Path, seed: int, n_wrong: int = 2, **changes: object) -> Path:
    """Write a run that nothing is wrong with, of its own seed and predictions."""
    settings = {"metrics": {"accuracy": 1 - n_wrong / 10}, "predictions": shifted(n_wrong), "seed": seed}
    return write_run(tmp_path / f"results_{seed}", **{**settings, **changes})  # type: ignore[arg-type]


def test_sound_runs_are_not_warned_of(tmp_path: Path) -> None:
    """Seeds that differ in nothing but their seed and predictions give no warning."""
    assert warnings_of(sound(tmp_path, 1, 0), sound(tmp_path, 2, 1)) == []


def test_drift_names_key_values_and_runs(tmp_path: Path) -> None:
    """Which settings differ, with each value's runs; a key that some runs lack differs; 32 and 32.0 do not."""
    first = sound(tmp_path, 1, 0, config={"lr": 0.1, "batch": 32})
    second = sound(tmp_path, 2, 1, config={"lr": 0.2, "batch": 32.0, "augment": True})
    lines = warnings_of(first, second)
    assert len(lines) == 2
    assert lines[0].startswith("configuration drift: augment is absent (results_1), true (results_2): runs that should")
    assert lines[1].startswith("configuration drift: lr is 0.1 (results_1), 0.2 (results_2)")
    assert warnings_of(first, second, by="none") == []


def test_a_wide_spread_is_reported_with_its_ends(tmp_path: Path) -> None:
    """σ over 0.1 of a share; of a loss it may be anything."""
    lines = warnings_of(sound(tmp_path, 1, 0), sound(tmp_path, 2, 3))
    assert any(
        line.startswith("σ of accuracy is 0.150, over 0.1: look at the runs at 0.700 and 1.000") for line in lines
    )
    runs = [Run(name, "test", {"loss": value}) for name, value in (("a", 0.1), ("b", 0.9))]
    assert consolidate(runs).warnings == ()


@pytest.mark.parametrize(
    ("n_wrong", "reported"),
    [(10, "accuracy is 0.0%, under 10 %"), (5, "accuracy is 50.0%, at chance for 2 classes"), (0, None)],
)
def test_low_accuracy_is_reported(tmp_path: Path, n_wrong: int, reported: str | None) -> None:
    """Under 10 %, and within the interval of guessing."""
    lines = warnings_of(sound(tmp_path, 1, n_wrong))
    assert len(lines) == (reported is not None)
    assert all(line.startswith(f"results_1: {reported}") for line in lines)


def test_duplicate_seeds_and_copied_predictions_are_reported(tmp_path: Path) -> None:
    """A run that was copied counts twice in every mean, whatever it is called."""
    runs = [write_run(tmp_path / name, predictions=PREDICTIONS, seed=4) for name in ("results_4", "copy")]
    lines = warnings_of(*runs)
    assert lines[0].startswith("duplicate seed 4: copy, results_4: not independent runs")
    assert lines[1].startswith("the same predictions under 2 names: copy, results_4: look whether a folder was copied")


def test_other_validation_sets_are_reported(tmp_path: Path) -> None:
    """Metrics of other items are other metrics."""
    other = PREDICTIONS.replace("i9", "x9")
    lines = warnings_of(sound(tmp_path, 1), sound(tmp_path, 2, predictions=other))
    assert len(lines) == 1
    assert lines[0].startswith("2 different validation sets (10 items in results_1; 10 items in results_2)")


def test_a_history_that_ends_early_is_reported_unless_it_may(tmp_path: Path) -> None:
    """Two of five epochs: cut off, unless early stopping is configured."""
    lines = warnings_of(sound(tmp_path, 1, config={"epochs": 5}))
    assert lines == [
        "results_1: the history ends after 2 of 5 epochs, and nothing is configured to stop early: look whether "
        "training was cut off"
    ]
    assert warnings_of(sound(tmp_path, 2, config={"epochs": 5, "patience": 3})) == []


def test_other_and_dirty_code_is_reported(tmp_path: Path) -> None:
    """Runs of two commits, one of which had changes that nobody committed."""
    lines = warnings_of(
        sound(tmp_path, 1, 0, git_hash="aaaaaaaaaaaaaaaa"), sound(tmp_path, 2, 1, git_hash="bbbb-dirty")
    )
    assert lines[0].startswith("git hashes differ: aaaaaaaaaaaa (results_1), bbbb (results_2)")
    assert lines[1].startswith("made with uncommitted changes: results_2")


def test_cross_validations_are_compared_each_within_itself(tmp_path: Path) -> None:
    """Two models differ in their settings by design; within one, drift is reported with its name, and so is pooling."""

    def fold(model: str, number: int, lr: float) -> Path:
        own = shifted(number).replace("i", f"{number}-").replace(f"{number}-d,", "id,")
        return write_run(
            tmp_path / model / f"fold_{number}" / "results",
            predictions=own,
            metrics={"accuracy": 1 - number / 10},
            config={"lr": lr},
        )

    lines = warnings_of(fold("a", 0, 0.1), fold("a", 1, 0.1), fold("b", 0, 0.2), fold("b", 1, 0.2))
    assert not any("drift" in line for line in lines)
    assert any("the best run is chosen over 2 groups together: a (2 runs), b (2 runs)" in line for line in lines)
    lines = warnings_of(fold("c", 0, 0.1), fold("c", 1, 0.3))
    assert [line for line in lines if line.startswith("configuration drift: lr is 0.1")]
    assert not any("together" in line for line in lines)


def test_models_of_a_leaderboard_are_no_samples() -> None:
    """Their spread is what the table is for; the same numbers of seeds are reported."""
    values = (("a", 0.2), ("b", 0.9))
    reports = [Run(name, "model_reports", {"accuracy": value}) for name, value in values]
    assert consolidate(reports).warnings == ()
    others = [Run(name, "test", {"accuracy": value}) for name, value in values]
    assert any(line.startswith("σ of accuracy") for line in consolidate(others).warnings)
