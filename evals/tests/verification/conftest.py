"""One real campaign for all tests of the package, and copies of it to be spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.config.campaign import Campaign
from stub_campaigns import copy_of, shared_campaign


@pytest.fixture(scope="session")
def pristine() -> Campaign:
    """Return a campaign of two cases that nobody may change."""
    return shared_campaign()


@pytest.fixture
def spoilt(pristine: Campaign, tmp_path: Path) -> Campaign:
    """Return a copy of it, to be spoilt."""
    return copy_of(pristine, tmp_path / "spoilt")
