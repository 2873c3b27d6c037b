"""Each file of a campaign with something else in its place, under the verbs that read it: an answer within seconds."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.cli.main import run
from exaid_evals.config.campaign import configs_dir
from stub_campaigns import ARGUMENTS, shared_campaign

_WITHIN_S = 60
"""Of the clock, on a machine that others load; an answer takes seconds."""


def _denied(path: Path) -> None:
    """Leave an empty file, which `_unreadable` refuses to open; root may read whatever its permissions say."""
    path.write_bytes(b"")


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "link to itself": lambda path: path.symlink_to(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "unreadable": _denied,
}
EXPLAIN = ["explain", "main", "V3", "coverage"]
READ: dict[str, list[list[str]]] = {
    "manifests/dataset_manifest.jsonl": [["validate"], ["plan", "--stub"], EXPLAIN],
    "traces/TRACE": [["validate"], ["view", "--out", "OUT"], EXPLAIN],
    "runs/V3/TRACE": [["validate"], ["export", "--out", "OUT"], EXPLAIN],
    "metrics/V3.metrics.jsonl": [["validate"], ["export", "--out", "OUT"], ["tables", "--check"], EXPLAIN],
    "metrics/comparisons.metrics.jsonl": [["validate"], ["tables", "--check"]],
    "metrics/tables/variants.csv": [["tables", "--check"]],
    "exports/exported_summary.json": [["validate"]],
    ".state/make-traces.jsonl": [["make-traces", "--dry-run", *ARGUMENTS, "--limit", "2"], EXPLAIN],
    ".state/run-variants.jsonl": [["run-variants", "--dry-run", "--stub"], EXPLAIN],
    ".state/compute-metrics.jsonl": [["export", "--out", "OUT"], EXPLAIN],
    ".state/configuration.json": [["plan", "--stub"], EXPLAIN],
    ".state/lock": [["export", "--out", "OUT"], ["migrate"]],
    "CONFIG/metrics.yaml": [["plan", "--stub"], EXPLAIN],
    "CONFIG/summarizer.yaml": [["plan", "--stub"]],
    "CONFIG/dataset.yaml": [["plan", "--stub"]],
    "CONFIG/variants/V3.yaml": [["plan", "--stub"]],
}
SLOW = ("manifests/dataset_manifest.jsonl", "traces/TRACE", "runs/V3/TRACE")
CONFIGURED = ("plan", "explain", "run-variants")


@contextlib.contextmanager
def _unreadable(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse to open one file, as the system does without permission."""

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, *arguments: Any, **named: Any) -> Any:
            if not isinstance(file, int) and os.fspath(file) == str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return real(file, *arguments, **named)

        return opened

    with monkeypatch.context() as patched:
        for module, name in ((os, "open"), (io, "open"), (builtins, "open")):
            patched.setattr(module, name, refusing(getattr(module, name)))
        yield


def _ring(*_: object) -> None:
    raise TimeoutError(f"no answer within {_WITHIN_S} s")


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in READ])
def test_something_else_in_place_of_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No verb waits for it, and none breaks: it goes on without, or says which file it is and what to do."""
    data, configs = tmp_path / "data", tmp_path / "config"
    shutil.copytree(shared_campaign().root, data)
    shutil.copytree(configs_dir(), configs)
    trace = sorted((data / "traces").iterdir())[0].name
    name = name.replace("TRACE", trace)
    path = configs / name.removeprefix("CONFIG/") if name.startswith("CONFIG/") else data / name
    before = path.read_bytes() if path.exists() else None
    signal.signal(signal.SIGALRM, _ring)
    for kind, put in KINDS.items():
        for verb in READ[name.replace(trace, "TRACE")]:
            _removed(path)
            put(path)
            arguments = [one.replace("OUT", str(tmp_path / "out.html")) for one in verb]
            arguments += ["--config-dir", str(configs)] if verb[0] in CONFIGURED else []
            signal.alarm(_WITHIN_S)
            try:
                with _unreadable(path, monkeypatch) if kind == "unreadable" else contextlib.nullcontext():
                    status = run([*arguments, "--data-dir", str(data)])
            finally:
                signal.alarm(0)
            reported = capsys.readouterr()
            what = f"{kind}, {verb[0]}: {status}\n{reported.out[-2000:]}\n{reported.err}"
            assert status in (0, 1, 2, 3), what
            assert "Traceback" not in reported.err, what
            assert "--debug" not in reported.err, what
            assert status == 0 or path.name in reported.err + reported.out, what
            _removed(path)
            if before is not None:
                path.write_bytes(before)


def _removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
