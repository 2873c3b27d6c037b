"""A Docker engine, an image of this checkout, and throw-away checkouts that are mounted into it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkouts import IMAGE, Checkout, copy_of_checkout

STRANGER = 1234  # a user whom neither the machine nor the image knows


@pytest.fixture(scope="session")
def engine() -> None:
    """Skip, with the reason, where no Docker engine answers; fail instead where one is required."""
    missing = _engine_missing()
    if missing and os.environ.get("EXAID_REQUIRE_DOCKER"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def _engine_missing() -> str | None:
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"`{' '.join(command)}`: {error}"
        if done.returncode:
            return f"`{' '.join(command)}`: {done.stderr.strip()}"
    return None


@pytest.fixture(scope="session")
def image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001 - asks for it to run
    """Build the image of this checkout without the model, as on a closed network, and return its name."""
    checkout = copy_of_checkout(tmp_path_factory.mktemp("build") / "checkout")
    built = checkout.compose("build", "--build-arg", "SCISPACY_MODEL=none")
    assert built.returncode == 0, built.stdout + built.stderr
    yield IMAGE
    # What earlier builds left behind; the image itself stays, as the next build's cache.
    ours = "label=org.opencontainers.image.title=exaid-evals"
    prune = ["docker", "image", "prune", "--force", "--filter", ours]
    subprocess.run(prune, capture_output=True, check=False)


@pytest.fixture
def checkout(image: str, tmp_path: Path) -> Iterator[Checkout]:  # noqa: ARG001 - built first
    """Return a throw-away checkout of the user who runs the tests."""
    copy = copy_of_checkout(tmp_path / "checkout")
    yield copy
    copy.compose("down", "--remove-orphans")


@pytest.fixture(params=["root", "ordinary user"])
def owner(request: pytest.FixtureRequest, checkout: Checkout) -> int:
    """Return the user who owns `checkout`: root in one run of the test, an ordinary user in the other."""
    us = os.geteuid()
    if us == 0 and request.param == "ordinary user":
        checkout.give_to(STRANGER)
        return STRANGER
    if us != 0 and request.param == "root":
        pytest.skip("only root can make a checkout of root's")
    return us
