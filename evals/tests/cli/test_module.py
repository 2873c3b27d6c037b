"""The package run as a module."""

from __future__ import annotations

import runpy
import sys

import pytest

from exaid_evals import __version__


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m exaid_evals --version` answers as `exaid-evals --version` does, and exits with 0."""
    monkeypatch.setattr(sys, "argv", ["exaid_evals", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("exaid_evals", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (0, f"exaid-evals, version {__version__}\n")
