"""No leakage; and everything that a choice depends on is in its hash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.stage import Calibration, calibrate, plan_calibration
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import CalibrationConfig
from exaid_evals.errors import ConfigError, FrozenError
from exaid_evals.report.calibration import draw_pareto, edges, policies_csv, report
from exaid_evals.report.figures import canvas

GRID = {"min_words": [2, 6], "max_words": [4, 8], "silence_ms": [100, 900], "max_wait_ms": [5000]}
FREE = {"worst_wait_ms": None, "undersized_share": None, "timer_share": None, "chunk_words_p95": None}
CONFIG: dict[str, Any] = {"grid": GRID, "constraints": FREE, "undersize_words": 3, "undersize_sensitivity": [2, 4]}
ASSUMED: dict[str, Any] = {"chars_per_second": 100.0, "allow_assumed_time": True}
TEXTS = ("one two three. four five", "six seven. eight nine ten eleven twelve.")


def campaigns(tmp_path: Path, *, calibrate_on: tuple[str, ...] = ("case-3", "case-4")) -> tuple[Campaign, Campaign]:
    """Freeze two cases to evaluate and others to calibrate on."""
    evaluated = freeze(tmp_path / "evaluated", [conversation(*TEXTS, case_id=name) for name in ("case-1", "case-2")])
    return evaluated, freeze(tmp_path / "other", [conversation(*TEXTS, case_id=name) for name in calibrate_on])


def calibrated(tmp_path: Path, *, speed: float = 100.0, **config: Any) -> Calibration:
    """Calibrate on small conversations."""
    settings = CalibrationConfig.model_validate({**CONFIG, **config})
    return calibrate(plan_calibration(*campaigns(tmp_path), settings, **ASSUMED | {"chars_per_second": speed}))


def test_the_configuration_that_ships_is_the_default() -> None:
    """What the YAML file says is what the code assumes without it."""
    assert load_config(CalibrationConfig, configs_dir() / "calibration.yaml").value == CalibrationConfig()


def test_campaigns_that_share_cases_are_refused_by_name(tmp_path: Path) -> None:
    """Each shared case stands in the message, with the way out; it is wrong usage, found before any work."""
    evaluated, other = campaigns(tmp_path, calibrate_on=("case-0", "case-1", "case-2", "case-3"))
    with pytest.raises(ConfigError, match=r"2 of 4 cases are evaluated .* leak: case-1, case-2; .* --exclude-from"):
        plan_calibration(evaluated, other, CalibrationConfig(), chars_per_second=100.0)


def test_changed_traces_are_refused(tmp_path: Path) -> None:
    """The calibration's traces are frozen like any others."""
    evaluated, other = campaigns(tmp_path)
    other.trace_file("case-3").unlink()
    with pytest.raises(FrozenError, match="case-3"):
        plan_calibration(evaluated, other, CalibrationConfig(), chars_per_second=100.0)


def test_limits_are_not_chosen_from_assumed_time(tmp_path: Path) -> None:
    """Where nobody recorded when text arrived, silence is that of a setting: refused, unless it is asked for."""
    settings = CalibrationConfig.model_validate(CONFIG)
    with pytest.raises(ConfigError, match=r"of no message it is recorded .* assumed 100 characters .* --allow-assumed"):
        plan_calibration(*campaigns(tmp_path), settings, chars_per_second=100.0)
    assert "|time:assumed|" in str(calibrated(tmp_path / "again").plan.signature)


def test_a_grid_without_policies_is_wrong_configuration(tmp_path: Path) -> None:
    """All min_words above all max_words leaves nothing to try."""
    with pytest.raises(ConfigError, match="every min_words exceeds every max_words"):
        calibrated(tmp_path, grid={**GRID, "min_words": [9]})


def test_impossible_combinations_are_left_out_and_counted(tmp_path: Path) -> None:
    """min_words 6 with max_words 4 is not a policy, in two combinations."""
    result = calibrated(tmp_path)
    assert (len(result.sweep.policies), result.plan.grid[1]) == (6, 2)
    assert Policy(6, 4, 100, 5000) not in result.sweep.policies
    assert "6 policies (2 combinations left out" in report(result)


def test_the_hash_is_of_everything_that_decides(tmp_path: Path) -> None:
    """Grid, constraints, speed and traces each change it; where the folders lie does not."""
    same = {calibrated(tmp_path / name).frozen().calibration_hash for name in ("a", "b")}
    assert len(same) == 1
    others = [
        calibrated(tmp_path / "c", grid={**GRID, "silence_ms": [100, 901]}),
        calibrated(tmp_path / "d", constraints={**FREE, "timer_share": 1.0}),
        calibrated(tmp_path / "e", speed=101.0),
    ]
    evaluated, traces = campaigns(tmp_path / "f", calibrate_on=("case-3", "case-5"))
    settings = CalibrationConfig.model_validate(CONFIG)
    others.append(calibrate(plan_calibration(evaluated, traces, settings, **ASSUMED)))
    assert len({*same, *(result.frozen().calibration_hash for result in others)}) == 5


def test_provenance_says_on_what_when_and_whether_stub(tmp_path: Path) -> None:
    """The date is the traces', never the wall clock's; a failed case is listed, and calibrates nothing."""
    evaluated = campaigns(tmp_path)[0]
    traces = freeze(tmp_path / "with-failure", [conversation(*TEXTS, case_id="case-3"), failed_conversation("case-4")])
    settings = CalibrationConfig.model_validate(CONFIG)
    result = calibrate(plan_calibration(evaluated, traces, settings, **ASSUMED))
    frozen = result.frozen()
    assert (frozen.cases, frozen.date, frozen.stub) == (("case-3", "case-4"), "2024-12-19T12:00:00Z", True)
    assert frozen.gate.model_dump() == {"kind": "token_gate", **result.chosen.settings}
    assert result.sweep.n_cases == 1
    assert "1 cases (1 failed and 0 without words left out)" in report(result)


def test_the_report_and_the_table_are_signed_and_marked(tmp_path: Path) -> None:
    """Signature and stub mark on both; each policy once, one of them chosen; other thresholds beside it."""
    result = calibrated(tmp_path)
    text, rows = report(result), [line.split(",") for line in policies_csv(result).splitlines()]
    signature = str(result.plan.signature)
    assert f"`{signature}`" in text
    assert "Stub data" in text
    assert "3 (configured)" in text
    assert len(rows) == 1 + len(result.sweep.policies)
    assert {row[-1] for row in rows[1:]} == {signature}
    assert {row[-2] for row in rows[1:]} == {"true"}
    chosen = [row[:4] for row in rows[1:] if row[rows[0].index("chosen")] == "true"]
    assert chosen == [[str(value) for value in result.chosen.settings.values()]]


def test_the_figure_names_the_choice_and_is_marked(tmp_path: Path) -> None:
    """The chosen policy, the one until now where it was tried, the signature and the stub mark stand on it."""
    from matplotlib.text import Text

    result = calibrated(tmp_path)
    other = next(policy for policy in result.sweep.policies if policy != result.chosen)
    with canvas.style():
        figures = [draw_pareto(result, current) for current in (other, Policy(9, 9, 9, 9))]
    tried, untried = ({text.get_text() for text in figure.findobj(Text)} for figure in figures)
    assert {
        f"chosen: {result.chosen.label}",
        "STUB DATA: simulated conversation",
        str(result.plan.signature),
    } <= tried & untried
    assert f"until now: {other.label}" in tried
    assert not any(text.startswith("until now") for text in untried)


def test_a_choice_at_the_end_of_the_grid_says_so(tmp_path: Path) -> None:
    """Beyond the end something better may lie; a setting with one value only has no end."""
    result = calibrated(tmp_path, grid={**GRID, "min_words": [1, 2, 6], "max_words": [8]})
    named = {line.split()[0] for line in edges(result)}
    expected = {"silence_ms"} | ({"min_words"} if result.chosen.min_words != 2 else set())
    assert named == expected


def test_a_threshold_that_nobody_survives_is_reported(tmp_path: Path) -> None:
    """The sensitivity's other thresholds may leave no policy; the table says so and the choice stands."""
    result = calibrated(tmp_path, constraints={**FREE, "undersized_share": 0.9}, undersize_sensitivity=[2, 90])
    assert result.sensitivity[90] is None
    assert "| 90 | 0 | no policy survives |" in report(result)


def test_the_old_name_of_the_first_flush_is_read_and_what_is_frozen_keeps_its_hash(tmp_path: Path) -> None:
    """`first_flush: talk` says what `conversation` says, and either hashes as it did when `talk` was its name."""
    before = "sha256:e5ef169800b455f54960dc7d0a85791f18abeed7650e62b53314024a5c4963cf"
    made = campaigns(tmp_path)
    for written in ({}, {"first_flush": "conversation"}, {"first_flush": "talk"}):
        settings = CalibrationConfig.model_validate(CONFIG | written)
        plan = plan_calibration(*made, settings, **ASSUMED)
        assert (settings.first_flush, plan.signature.config_hash) == ("conversation", before)
    other = plan_calibration(*made, CalibrationConfig.model_validate(CONFIG | {"first_flush": "turn"}), **ASSUMED)
    assert other.signature.config_hash != before
