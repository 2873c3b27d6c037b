"""W&B on loopback: an environment without the machine's own settings, and one that points at a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.wandb_server import WandbServer


@pytest.fixture
def no_wandb_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take from the environment what wandb reads there."""
    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "REQUESTS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Callable[[WandbServer], None]:
    """Return what points the environment at a server."""
    from servers.wandb_server import KEY

    def point(server: WandbServer) -> None:
        monkeypatch.setenv("WANDB_BASE_URL", server.base_url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)

    return point
