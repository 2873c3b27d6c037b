"""Stages that are killed, that cannot write, and that meet one another; and what is left then.

Every attempt begins with a copy of a campaign before a stage, does the stage under a fault in a forked process, does it
again without, and holds every file against those of an undisturbed stage. The process that forks has `shim.c` loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.cli.main import run
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.config.resources import configs_dir
from torture.paid import PAID, paid

WRITE, FSYNC, RENAME, OPEN = 1, 2, 4, 8
KINDS = {"write": WRITE, "fsync": FSYNC, "rename": RENAME, "open": OPEN}
ANY = WRITE | FSYNC | RENAME | OPEN
SMALL = ("--source", "small_cases:load", "--n-cases", "12")
STAGES: dict[str, list[str]] = {
    "make-traces": ["make-traces", "--stub", *SMALL, "--limit", "2"],
    "run-variants": ["run-variants", "--stub", "V0", "V3"],
    "live": ["run-variants", "--llm", "torture.paid:build", "--runs-name", "paid", "V3"],
    "compute-metrics": ["compute-metrics"],
    "export": ["export", "--jobs", "1"],
}
_PASSING = {"lock", "lock.json", "export_runs.jsonl"}


@dataclass
class Count:
    """What happened in attempts of one kind.

    Attributes:
        wrong: what did not hold, by attempt.
    """

    attempts: int = 0
    struck: int = 0
    seconds: float = 0.0
    paid_twice: int = 0
    under_way: int = 0
    wrong: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        """Return a row of the table."""
        what = f"{len(self.wrong)} wrong" + (f" ({self.wrong[0]})" if self.wrong else "")
        calls = f", {self.paid_twice} calls paid twice, {self.under_way} lost under way" if "live" in name else ""
        return f"{name:34} {self.attempts:6} attempts {self.struck:6} struck  {what}{calls}  {self.seconds:.0f} s"


@dataclass(frozen=True)
class Bench:
    """Campaigns before each stage, and after all of them."""

    folder: Path
    shim: ctypes.CDLL | None
    calls: dict[str, int]

    @property
    def whole(self) -> Path:
        """The undisturbed campaign."""
        return self.folder / "whole"

    def before(self, stage: str) -> Path:
        """The campaign as it was before a stage."""
        return self.folder / f"before-{stage}"

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


def make_bench(folder: Path, shim: ctypes.CDLL | None) -> Bench:
    """Do every stage once, in this process, so that a fork has everything loaded."""
    bench = Bench(folder, shim, {})
    os.environ["EXAID_CONFIG_DIR"] = str(_quick_configs(folder / "configs"))
    for stage in STAGES:
        if bench.whole.exists():
            shutil.copytree(bench.whole, bench.before(stage))
        else:
            bench.before(stage).mkdir(parents=True)
        bench.arm(bench.whole, ANY, 1 << 40, 0)
        status = _quietly(bench.whole, stage, bench.folder / "bill")
        assert status in (0, 3), f"{stage} ends with {status}"
        bench.calls[stage] = shim.torture_seen() if shim is not None else 0
        bench.arm(bench.whole, 0, 0, 0)
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


def _quietly(campaign: Path, stage: str, bill: Path) -> int:
    os.environ[PAID] = str(bill)
    os.environ["EXAID_DATA_DIR"] = str(campaign)
    log = campaign.with_name(f"{campaign.name}.log")
    with log.open("w") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        return run(STAGES[stage])


def forked(work: Callable[[], int], limit_s: float = 120) -> int:
    """Do work in a forked process; return its exit status, minus the signal that ended it, or -999 for a hang."""
    child = os.fork()
    if not child:
        status = 70
        try:
            status = work()
        finally:
            os._exit(status)
    deadline = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -999
        time.sleep(0.002)


def attempt(bench: Bench, count: Count, stage: str, arm: Callable[[Path], None], name: str) -> None:
    """Do a stage under a fault, then without, and note what is wrong."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        campaign, bill = Path(place) / "data", Path(place) / "bill"
        shutil.copytree(bench.before(stage), campaign)

        def struck() -> int:
            arm(campaign)
            return _quietly(campaign, stage, bill)

        first = forked(struck)
        told = _log_of(campaign)
        count.attempts += 1
        count.struck += first != 0
        again = forked(lambda: _quietly(campaign, stage, bill))
        if "Traceback" in told or first in (70, -999) or -first in (signal.SIGSEGV, signal.SIGABRT):
            count.wrong.append(f"{name}: ends with {first}: {told[-200:]}")
        elif again != 0:
            count.wrong.append(f"{name}: again ends with {again}: {_log_of(campaign)[-200:]}")
        else:
            _hold(bench, count, stage, campaign, name)
        if stage == "live":
            _charge(count, bill, campaign, hopeless=first == -signal.SIGKILL or "ENOSPC" in name)


def _log_of(campaign: Path) -> str:
    return campaign.with_name(f"{campaign.name}.log").read_text(encoding="utf-8", errors="replace")


def _hold(bench: Bench, count: Count, stage: str, campaign: Path, name: str) -> None:
    stages = list(STAGES)
    last = stages.index(stage) + 1
    wanted = contents(bench.whole if last == len(stages) else bench.before(stages[last]))
    found = contents(campaign)
    if found != wanted:
        differ = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        count.wrong.append(f"{name}: {len(differ)} files differ, first {differ[0]}")


def _charge(count: Count, bill: Path, campaign: Path, *, hopeless: bool) -> None:
    """Count what was paid again.

    A kill, or a disk that takes nothing any more, may lose the one call whose answer was on its way to the disk.
    """
    again = sum(n - 1 for n in paid(bill).values() if n > 1)
    recorded = sum(len(read_cassette(path)[0]) for path in (campaign / "cassettes").glob("eval-*.gz"))
    again = max(again, sum(paid(bill).values()) - recorded)
    under_way = min(again, 1) if hopeless else 0
    count.under_way += under_way
    count.paid_twice += again - under_way


def kills(bench: Bench, number: int, rng: random.Random) -> Iterator[tuple[str, Count]]:
    """Kill stages at random calls."""
    for stage, n_calls in bench.calls.items():
        count, started = Count(), time.monotonic()
        # Figures take most of the time, and are written as tables are.
        for _ in range(number if stage != "compute-metrics" else -(-number // 3)):
            at = rng.randint(1, max(n_calls, 1))
            attempt(bench, count, stage, lambda folder, at=at: bench.arm(folder, ANY, at, 0), f"kill at call {at}")
        count.seconds = time.monotonic() - started
        yield f"killed: {stage}", count


def failures(bench: Bench, most: int) -> Iterator[tuple[str, Count]]:
    """Let the n-th call of each kind fail: once (EIO), and from then on (no space)."""
    for stage, n_calls in bench.calls.items():
        for kind, mask in KINDS.items():
            count, started = Count(), time.monotonic()
            step = max(1, n_calls // most)
            for at in range(1, n_calls + 1, step):
                error, sticky = ((errno.EIO, False), (errno.ENOSPC, True))[at // step % 2]
                attempt(
                    bench,
                    count,
                    stage,
                    lambda folder, at=at, error=error, sticky=sticky, mask=mask: bench.arm(
                        folder, mask, at, error, sticky=sticky
                    ),
                    f"{kind} {at} {errno.errorcode[error]}",
                )
            count.seconds = time.monotonic() - started
            yield f"{kind} fails: {stage}", count


def races(bench: Bench, rounds: int) -> Iterator[tuple[str, Count]]:
    """Let every two stages, and two of one beside another, run at once in one folder.

    Each ends well or is refused, and afterwards all is as it was.
    """
    names = list(STAGES)
    for index, one in enumerate(names):
        for other in [*names[index:], "validate"]:
            for together in ((one, other), (one, other, one)):
                count, started = Count(), time.monotonic()
                for _ in range(rounds):
                    _race(bench, count, together)
                count.seconds = time.monotonic() - started
                yield f"at once: {', '.join(together)}", count


def _race(bench: Bench, count: Count, together: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        campaign, bill = Path(place) / "data", Path(place) / "bill"
        shutil.copytree(bench.whole, campaign)
        bills = {**os.environ, PAID: str(bill), "EXAID_DATA_DIR": str(campaign)}
        force = {"make-traces", "run-variants", "compute-metrics", "export"}
        commands = [
            [*(STAGES.get(name) or [name]), *(["--force"] if name in force and name != "make-traces" else [])]
            for name in together
        ]
        started = [
            subprocess.Popen(
                [sys.executable, "-m", "exaid_evals.cli", *command],
                env=bills,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for command in commands
        ]
        ends = [(process.communicate(timeout=300)[1], process.returncode) for process in started]
        count.attempts += 1
        for name, (told, status) in zip(together, ends, strict=True):
            count.struck += status == 2
            refused = status == 2 and "is writing here" in told
            if "Traceback" in told or not (status in (0, 3) or refused or (name == "validate" and status == 1)):
                count.wrong.append(f"{name} ends with {status}: {told[-200:]}")
        for stage in STAGES:
            if forked(lambda stage=stage: _quietly(campaign, stage, bill)) != 0:
                count.wrong.append(f"afterwards {stage}: {_log_of(campaign)[-200:]}")
                return
        found, wanted = contents(campaign), contents(bench.whole)
        if found != wanted:
            differ = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
            count.wrong.append(f"{len(differ)} files differ, first {differ[0]}")
        if "live" in together:
            count.paid_twice += sum(paid(bill).values())  # everything was recorded before


def sizes(number: int) -> list[int]:
    """Return sizes of disks from 16 kB to 2 MB, of which the middle ones fill up in the midst of a paid run.

    >>> sizes(3)
    [16384, 185363, 2097152]
    """
    return [round(16_384 * 128 ** (index / max(number - 1, 1))) for index in range(number)]


def disks(bench: Bench, sizes: Sequence[int]) -> Iterator[tuple[str, Count]]:
    """Do all stages on a disk that is too small, give it room, and do them again."""
    count, started = Count(), time.monotonic()
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                return  # not root, or no such right
            try:
                campaign, bill = Path(place) / "data", bench.folder / f"bill-{size}"
                ends = _all_on_disk(campaign, bill)
                subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
                count.attempts += 1
                count.struck += any(ends)
                again = _all_on_disk(campaign, bill)
                if 70 in ends or -999 in ends or any(again):
                    told = bill.with_suffix(".log").read_text(encoding="utf-8")
                    count.wrong.append(f"{size} bytes: ends {ends}, again {again}: {told[-300:]}")
                elif contents(campaign) != contents(bench.whole):
                    count.wrong.append(f"{size} bytes: other files")
                count.paid_twice += sum(n - 1 for n in paid(bill).values())
            finally:
                subprocess.run(["umount", place], check=True)
    count.seconds = time.monotonic() - started
    yield "small disks, live among the stages", count


def _all_on_disk(campaign: Path, bill: Path) -> list[int]:
    return [forked(lambda stage=stage: _on_disk(campaign, stage, bill)) for stage in STAGES]


def _on_disk(campaign: Path, stage: str, bill: Path) -> int:
    os.environ[PAID], os.environ["EXAID_DATA_DIR"] = str(bill), str(campaign)
    log = bill.with_suffix(".log")
    with log.open("a") as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = run(STAGES[stage])
        print(f"{stage} ends with {status}")
    return status


def total(counts: Sequence[Count]) -> Counter[str]:
    """Return sums over kinds."""
    sums: Counter[str] = Counter()
    for one in counts:
        sums += Counter(attempts=one.attempts, wrong=len(one.wrong), paid_twice=one.paid_twice)
    return sums
