"""Lag behind a source, against the numbers of the program that simultaneous translation uses."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.stats.descriptive import average_lagging, differentiable_lagging, length_adaptive_lagging

# By simuleval 1.1.4 on random instances; it cannot be installed beside the paper's environment, so that its numbers
# stand in a file.
INSTANCES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "oracles" / "lagging.json").read_text(encoding="utf-8")
)["instances"]


@pytest.mark.parametrize("together", [True, False], ids=["blocks", "unit by unit"])
def test_lag_is_that_of_simuleval(together: bool) -> None:
    """AL, LAAL and DAL agree to 1e-9, whether units that came together are given together or one by one."""
    assert len(INSTANCES) == 60
    for one in INSTANCES:
        delays, lengths = one["delays"], (one["source_length"], one["target_length"])
        blocks = [(delay, len(list(same))) for delay, same in groupby(delays)] if together else [(d, 1) for d in delays]
        assert average_lagging(blocks, *lengths) == pytest.approx(one["al"], abs=1e-9)
        assert length_adaptive_lagging(blocks, *lengths) == pytest.approx(one["laal"], abs=1e-9)
        assert differentiable_lagging(blocks, lengths[0]) == pytest.approx(one["dal"], abs=1e-9)


def test_without_output_or_source_there_is_no_lag() -> None:
    """Nothing said, or nothing told: undefined, not zero."""
    for blocks, source in (([], 3), ([(1, 0)], 3), ([(0, 2)], 0)):
        assert average_lagging(blocks, source, 3) is None
        assert length_adaptive_lagging(blocks, source, 3) is None
        assert differentiable_lagging(blocks, source) is None
