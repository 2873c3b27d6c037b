"""Most of these tests need PyTorch, which is in no lock file: `make torch-test` makes an environment that has it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

_HERE = importlib.util.find_spec("torch") is not None

if not _HERE and os.environ.get("EXAID_REQUIRE_TORCH"):
    raise RuntimeError("EXAID_REQUIRE_TORCH is set, and PyTorch is not installed: make torch-setup")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors are quicker on one thread, and sums come out the same on every machine."""
    if not _HERE:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
