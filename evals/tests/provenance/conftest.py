"""One real campaign for all tests of the room, and copies of it to be spoilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from stub_campaigns import ARGUMENTS, copy_of, shared_campaign


@pytest.fixture(scope="session")
def pristine() -> Campaign:
    """Return a campaign of two cases that nobody may change."""
    return shared_campaign()


@pytest.fixture(scope="session")
def of_seeds(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign with two more beside it, of other seeds, and an export and a paper over them."""
    root = tmp_path_factory.mktemp("seeds") / "data"
    assert run(["paper", *ARGUMENTS, "--limit", "2", "--seeds", "1 2", "--data-dir", str(root)]) == 0
    return Campaign(root.resolve())


@pytest.fixture
def spoilt(pristine: Campaign, tmp_path: Path) -> Campaign:
    """Return a copy of it, to be spoilt."""
    return copy_of(pristine, tmp_path / "spoilt")
