"""What every test may rely on: no settings of the user's, and the same examples on every machine."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dask_cluster import Started
from exaid_evals.config.campaign import Campaign
from factories import write_campaign
from sharing import FOLDER

# Examples are the same in every run, so a red test is red for everybody; `--hypothesis-profile=explore` looks further.
_QUIET = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
# CI tries more of them than whoever runs `make test` between two edits waits for.
_EXAMPLES = 100 if os.environ.get("CI") else 50
settings.register_profile(
    "fixed", derandomize=True, deadline=None, suppress_health_check=_QUIET, database=None, max_examples=_EXAMPLES
)
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=_QUIET)
settings.load_profile("fixed")

# In the background of a script a process ignores Ctrl-C, and so would those that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a folder for what its processes share; those that xdist starts inherit the variable."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="exaid-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where tests of one mark are asked for, import only files that have some: the others need half a minute."""
    wanted = str(config.option.markexpr).partition(" ")[0]
    if wanted in ("slow", "docs") and collection_path.name.startswith("test_") and collection_path.is_file():
        return True if f"mark.{wanted}" not in collection_path.read_text(encoding="utf-8") else None
    return None


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the user's EXAID_ variables away, but for those that steer the test suite itself."""
    for name in list(os.environ):
        if name.startswith("EXAID_") and not name.startswith("EXAID_REQUIRE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Return a valid campaign of three cases, the last of which failed, under V0 and V3."""
    return write_campaign(tmp_path / "data")


@pytest.fixture(scope="module")
def cluster_without_key() -> Iterator[Started]:
    """Return a Dask cluster of two workers, whose environment holds no key, for tests that leave it whole."""
    assert "OPENAI_API_KEY" not in os.environ
    found = Started()
    yield found
    found.stop()


@pytest.fixture
def started() -> Iterator[Started]:
    """Return a running Dask cluster of two workers, of which a test may kill a part."""
    found = Started()
    yield found
    found.stop()
