"""lm-evaluation-harness: golden results that it made, and broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.formats.evaluations import LmEvalFormat
from export.trackers import GOLD, read


def test_lm_eval_results_say_tasks_directions_and_seed() -> None:
    """Metrics by task, the spread apart, the direction as each task says, the seed and the versions."""
    [run] = read(LmEvalFormat(), GOLD / "lm_eval").values()
    assert set(run.metrics) == {"fever.acc", "fever.brier_score", "cough.acc", "cough.brier_score"}
    assert run.lower_is_better == {"fever.brier_score", "cough.brier_score"}
    assert run.higher_is_better == {"fever.acc", "cough.acc"}
    assert (run.seed, run.attributes["task_versions"]) == (3, {"cough": 2, "fever": 1})
    assert set(run.attributes["stderr"]) == {"fever.acc_stderr", "cough.acc_stderr"}
    assert run.warnings == ()


def lm_results(tmp_path: Path, text: str) -> Path:
    """Write a results file."""
    (tmp_path / "results_2024.json").write_text(text, encoding="utf-8")
    return tmp_path


def test_filters_limits_and_nan_are_reported(tmp_path: Path) -> None:
    """A filter is part of a metric's name, a limit makes a warning, NaN and N/A are undefined or left out."""
    text = (
        '{"results": {"gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.5, "exact_match,flexible-extract": NaN,'
        '"exact_match_stderr,strict-match": "N/A"}}, "config": {"limit": 10}, "n-samples": {"gsm8k": {"original": 100,'
        '"effective": 10}}}'
    )
    [run] = read(LmEvalFormat(), lm_results(tmp_path, text)).values()
    assert run.metrics == {"gsm8k.exact_match@strict-match": 0.5, "gsm8k.exact_match@flexible-extract": None}
    assert any("--limit 10" in warning for warning in run.warnings)


@pytest.mark.parametrize("text", ['{"results": {', '{"results": {}}', '{"results": {"a": [1]}, "config": [}'])
def test_broken_results_are_refused_by_name(tmp_path: Path, text: str) -> None:
    """Whatever begins as a results file and is none is an error that names it."""
    with pytest.raises(DataError, match=r"results_2024\.json"):
        read(LmEvalFormat(), lm_results(tmp_path, text))
