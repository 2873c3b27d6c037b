"""Campaigns of two cases before and after each stage, and a process in which everything is loaded, to fork from."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import configs_dir
from exaid_evals.execution import local
from exaid_evals.report import stage as report
from torture.paid import PAID

KINDS = {"write": 1, "fsync": 2, "rename": 4, "open": 8}
ANY = 15
HUNG, RAISED = -999, 70
STAGES: dict[str, list[str]] = {
    "make-traces": ["make-traces", "--stub", "--source", "small_cases:load", "--n-cases", "12", "--limit", "2"],
    "run-variants": ["run-variants", "--stub", "V0", "V3"],
    "live": ["run-variants", "--llm", "torture.paid:build", "--runs-name", "paid", "V3"],
    "compute-metrics": ["compute-metrics"],
    "export": ["export"],
}
_PASSING = {"lock", "lock.json", "export_runs.jsonl"}


def cpu_seconds() -> float:
    """Return what this process and those that it waited for have used of the processor."""
    return sum(os.times()[:4])


@dataclass
class Count:
    """What happened in attempts of one kind.

    Attributes:
        wrong: what did not hold, by attempt.
    """

    attempts: int = 0
    struck: int = 0
    paid_twice: int = 0
    under_way: int = 0
    wrong: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=cpu_seconds)

    def line(self, name: str) -> str:
        """Return a row of the table: what happened, and the time on the clock and of the processor."""
        what = f"{len(self.wrong)} wrong" + (f" ({self.wrong[0]})" if self.wrong else "")
        calls = f", {self.paid_twice} calls paid twice, {self.under_way} lost under way" if "live" in name else ""
        took = f"{time.monotonic() - self.started:.0f} s, {cpu_seconds() - self.cpu:.0f} s of CPU"
        return f"{name:40} {self.attempts:6} attempts {self.struck:6} struck  {what}{calls}  {took}"


def total(counts: Sequence[Count]) -> Counter[str]:
    """Return sums over kinds."""
    sums: Counter[str] = Counter()
    for one in counts:
        sums += Counter(attempts=one.attempts, wrong=len(one.wrong), paid_twice=one.paid_twice)
    return sums


@dataclass(frozen=True)
class Bench:
    """Campaigns before each stage, and after all of them.

    Attributes:
        calls: how many calls of each kind a stage makes.
    """

    folder: Path
    shim: ctypes.CDLL | None
    calls: dict[str, Counter[str]]

    @property
    def whole(self) -> Path:
        """The undisturbed campaign."""
        return self.folder / "whole"

    def before(self, stage: str) -> Path:
        """The campaign as it was before a stage."""
        return self.folder / f"before-{stage}"

    def after(self, stage: str) -> Path:
        """The campaign as it is after a stage."""
        later = list(STAGES)[list(STAGES).index(stage) + 1 :]
        return self.before(later[0]) if later else self.whole

    def arm(self, folder: Path, kinds: int, number: int, error: int, *, sticky: bool = False) -> None:
        """Make the n-th call below a folder fail; an error of 0 kills."""
        if self.shim is not None:
            self.shim.torture_arm(os.fsencode(folder), kinds, ctypes.c_long(number), error, int(sticky))


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file's content; what tells of times or of the lock is left out."""
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _PASSING and path.parent.name != "logs"
    }


def difference(found: dict[str, str], wanted: dict[str, str]) -> str:
    """Say which files differ; nothing where none does."""
    differ = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    return f"{len(differ)} files differ, first {differ[0]}" if differ else ""


def make_bench(folder: Path, shim: ctypes.CDLL | None) -> Bench:
    """Do every stage once, in this process, so that a fork has everything loaded."""
    bench = Bench(folder, shim, {})
    os.environ["EXAID_CONFIG_DIR"] = str(_quick_configs(folder / "configs"))
    _draw_once()
    for stage in STAGES:
        if bench.whole.exists():
            shutil.copytree(bench.whole, bench.before(stage))
        else:
            bench.before(stage).mkdir(parents=True)
        bench.arm(bench.whole, ANY, 1 << 40, 0)
        status = do(bench.whole, stage, bench.folder / "bill")
        assert status in (0, 3), f"{stage} ends with {status}: {log_of(bench.whole)}"
        if shim is not None:
            bench.calls[stage] = Counter({kind: shim.torture_seen(number) for kind, number in KINDS.items()})
        bench.arm(bench.whole, 0, 0, 0)
    _fork_workers()
    return bench


def _quick_configs(folder: Path) -> Path:
    """Make configurations that load no vocabulary and draw few samples: the work is that of the files."""
    shutil.copytree(configs_dir(), folder)
    changes: dict[str, dict[str, dict[str, object]]] = {
        "summarizer.yaml": {"stub": {"concepts": "conversations:build_words"}},
        "metrics.yaml": {"extractor": {"name": "conversations:build_words"}, "bootstrap": {"resamples": 100}},
    }
    for name, sections in changes.items():
        path = folder / name
        made = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section, values in sections.items():
            made[section] |= values
        path.write_text(yaml.safe_dump(made), encoding="utf-8")
    return folder


def _draw_once() -> None:
    """Let processes that are forked find the figures drawn: that takes most of a stage's time and touches no file."""
    draw, drawn = report._figure_files, {}

    def made(results: Any, primary: str, stale: dict[str, Path]) -> dict[str, bytes]:
        drawn.update({} if drawn else draw(results, primary, stale))
        return {key: data for key, data in drawn.items() if key in stale}

    report._figure_files = made


def _fork_workers() -> None:
    """Let `--jobs 2` have two processes for two cases, forked from a server that has the imports behind it."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["exaid_evals.replay.stage", "exaid_evals.traces.generate", "conversations"])
    choose: Any = lambda _: server  # noqa: E731 - typed so that it may take the place of another
    multiprocessing.get_context = choose
    local._ITEMS_PER_WORKER = 1
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:multiprocessing.resource_tracker"  # of what killed ones left


def do(campaign: Path, stage: str, bill: Path, *options: str, log: Path | None = None) -> int:
    """Do a stage in this process, what it says into a file beside the campaign; return its exit status."""
    os.environ[PAID] = str(bill)
    os.environ["EXAID_DATA_DIR"] = str(campaign)
    log = log or campaign.with_name(f"{campaign.name}.log")
    with log.open("a") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = run([*STAGES.get(stage, [stage]), *options])
        print(f"{stage} ends with {status}")
    return status


def log_of(campaign: Path) -> str:
    """Return what stages said of a campaign."""
    path = campaign.with_name(f"{campaign.name}.log")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def started(work: Callable[[], int]) -> int:
    """Begin work in a forked process that leads a group of its own; return its number."""
    child = os.fork()
    if child:
        return child
    status = RAISED
    try:
        os.setsid()
        status = work()
    finally:
        os._exit(status)


def ended(child: int, limit_s: float = 120, kill_after_s: float = float("inf")) -> int:
    """Wait for a process; return its exit status, minus the signal that ended it, or `HUNG`.

    Args:
        child: its number.
        limit_s: it hangs where it takes longer.
        kill_after_s: kill it, and it alone, after this time.
    """
    begun = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        if took > min(limit_s, kill_after_s):
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            return HUNG if took > limit_s else os.waitstatus_to_exitcode(status)
        time.sleep(0.002)


def forked(work: Callable[[], int]) -> int:
    """Do work in a forked process; return as `ended`."""
    return ended(started(work))
