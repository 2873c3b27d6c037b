"""Where MAC's data set may lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exaid_evals.cases.mac import data_file

# Read when tests are collected: the user's EXAID_ variables are taken away from the tests themselves.
_NAMED = os.environ.get("EXAID_MAC_DIR")
_CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def mac_dir() -> Path:
    """Return a folder that holds MAC's data set; skip where there is none."""
    named = [Path(_NAMED)] if _NAMED else []
    for folder in (*named, _CHECKOUT / "third_party" / "mac", _CHECKOUT.parent / "shared" / "mac"):
        if data_file(folder) is not None:
            return folder
    pytest.skip("MAC's data set is absent: not in EXAID_MAC_DIR, third_party/mac or ../shared/mac")
