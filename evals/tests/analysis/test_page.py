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


def test_the_thresholds_that_are_told_are_the_defaults() -> None:
    """The table of detectors says what the configuration says."""
    defaults = AnalysisConfig()
    assert f"relative threshold ({defaults.sudden_drop.relative:.0%}".replace("%", " %") in PAGE
    assert f"and {defaults.sudden_drop.min_z:g} σ above" in PAGE
    assert f"| {defaults.robust_z.threshold:g} and more" in PAGE
    assert f"penalty {defaults.change_point.penalty:g} · log n" in PAGE
    assert f"last {defaults.plateau.share:.0%}".replace("%", " %") in PAGE
