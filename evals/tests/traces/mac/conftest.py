"""A checkout of the stand-in, and a scripted model."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

import pytest

from exaid_evals.traces.mac.prepare import AUTOGEN
from traces.mac.harness import Checkout, check_out
from traces.mac.provider import Provider


@pytest.fixture(scope="session")
def mac(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout of the stand-in, which every test leaves as it is."""
    package, pinned = AUTOGEN
    try:
        if version(package) != pinned:
            pytest.skip(f"another {package} than {pinned} is installed")
    except PackageNotFoundError:
        pytest.skip(f"{package}, of the extra `live`, is not installed")
    return check_out(tmp_path_factory.mktemp("mac") / "mac")


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Return a model that lets the four speak in turn."""
    with Provider() as running:
        yield running


@pytest.fixture(autouse=True)
def _own_temporary_folder(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Give each test a folder for temporary files, which must be empty afterwards.

    A SIGKILL is excepted: it may fall after a folder was made and before the process that removes it has started.
    """
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if parameters.get("how") != signal.SIGKILL:
        eventually(lambda: not list(folder.iterdir()), "temporary files are left")


def eventually(holds: Callable[[], bool], claim: str, *, within_s: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, claim
        time.sleep(0.02)


@pytest.fixture
def untouched(mac: Checkout) -> Iterator[None]:
    """Check that MAC's folder is left as it was found."""
    before = {path: path.read_bytes() for path in mac.folder.rglob("*") if path.is_file()}
    yield
    assert {path: path.read_bytes() for path in mac.folder.rglob("*") if path.is_file()} == before
