"""The live session of the handbook is one that was had."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from docs.console import matches
from docs.live_session import HANDBOOK, session_in, shell
from exaid_evals.traces.mac.prepare import AUTOGEN


@pytest.mark.slow
def test_the_live_session_prints_what_is_shown() -> None:
    """Planned, made, calibrated, run within a budget, gone on with, measured, and replayed without a key, in order."""
    package, pinned = AUTOGEN
    try:
        if version(package) != pinned:
            pytest.skip(f"another {package} than {pinned} is installed")
    except PackageNotFoundError:
        pytest.skip(f"{package}, of the extra `live`, is not installed")
    commands = session_in(HANDBOOK.read_text(encoding="utf-8"))
    verbs = " ".join(shown.command for shown in commands)
    for verb in ("plan", "make-traces", "calibrate", "run-variants", "compute-metrics", "--llm replay", "diff -r"):
        assert verb in verbs
    with shell() as running:
        for shown in commands:
            actual = running.run(shown.command)
            assert matches(shown.output, actual), (
                f"`{shown.command}` in the handbook now prints\n"
                + "\n".join(actual)
                + "\nupdate: python evals/tests/docs/live_session.py"
            )
