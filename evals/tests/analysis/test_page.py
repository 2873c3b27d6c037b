"""What docs/analysis.md shows is what its commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from docs.page import check_walk, page_text
from exaid_evals.analysis.settings import AnalysisConfig

PAGE = page_text("analysis.md")


@pytest.mark.slow
def test_the_walk_prints_what_is_shown(tmp_path: Path) -> None:
    """Every command of the page succeeds and prints the lines below it."""
    check_walk(PAGE, tmp_path, 2)


def test_the_settings_that_are_shown_are_read() -> None:
    """The YAML of the page is a valid configuration."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert AnalysisConfig.model_validate(yaml.safe_load(block)).primary_metric == "val_accuracy"


def test_the_thresholds_that_are_reported_are_the_defaults() -> None:
    """The table of detectors says what the configuration says."""
    defaults = AnalysisConfig()
    watched = defaults.anomaly_detection
    shown = PAGE.replace(" %", "%")
    assert f"{watched.performance_drop_threshold:.0%} of the level" in shown
    assert f"{watched.drop_min_z:g} σ above both" in shown
    assert f"| {watched.outlier_threshold:g} and more" in shown
    assert defaults.change_point.penalty == 1  # of the information criterion that the page names
    assert (
        f"less than {watched.plateau_tolerance:.0%} of what was gained before, in {watched.plateau_patience}" in shown
    )
