"""Stages that are killed, that cannot write, and that meet one another; and what is left then.

Every attempt begins with a copy of a campaign before a stage, does the stage under a fault in a forked process, does it
again without, and holds every file against those of an undisturbed stage. The process that forks has `shim.c` loaded.
"""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.clients.cassette import read_cassette
from torture.bench import (
    ANY,
    HUNG,
    KINDS,
    RAISED,
    STAGES,
    Bench,
    Count,
    contents,
    difference,
    do,
    ended,
    forked,
    log_of,
    started,
)
from torture.paid import paid

_BROKEN = (RAISED, HUNG, -signal.SIGSEGV, -signal.SIGABRT)
_TWO = ("--jobs", "2")


@dataclass(frozen=True)
class Fault:
    """What is done to a stage.

    Attributes:
        name: what it is called where it did harm.
        arm: prepares it, in the process of the stage, given the folder of the campaign.
        kill_after_s: when the process is killed.
        options: of the stage.
        lost: calls that may be made again: those whose answers were on their way.
    """

    name: str
    arm: Callable[[Path], None] = lambda _: None
    kill_after_s: float = float("inf")
    options: tuple[str, ...] = ()
    lost: int = 0


def attempt(bench: Bench, count: Count, stage: str, fault: Fault) -> None:
    """Do a stage under a fault, then without, and note what is wrong."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        campaign, bill = Path(place) / "data", Path(place) / "bill"
        shutil.copytree(bench.before(stage), campaign)

        def struck() -> int:
            fault.arm(campaign)
            return do(campaign, stage, bill, *fault.options)

        first = ended(started(struck), kill_after_s=fault.kill_after_s)
        again = forked(lambda: do(campaign, stage, bill, *fault.options))
        reported = log_of(campaign)
        count.attempts += 1
        count.struck += first != 0
        if unforeseen(reported) or first in _BROKEN or again != 0:
            count.wrong.append(f"{fault.name}: ends with {first}, again with {again}: {reported[-300:]}")
        elif differ := difference(contents(campaign), contents(bench.after(stage))):
            count.wrong.append(f"{fault.name}: {differ}")
        if stage == "live":
            _charge(count, bill, campaign, fault.lost)


def unforeseen(reported: str) -> bool:
    """Whether a command ended on an error of its own: with a traceback, or with the offer to show one."""
    return "Traceback" in reported or "run it again with --debug" in reported


def _charge(count: Count, bill: Path, campaign: Path, lost: int) -> None:
    """Count what was paid again, or was not recorded."""
    again = sum(n - 1 for n in paid(bill).values() if n > 1)
    recorded = sum(len(read_cassette(path)[0]) for path in (campaign / "cassettes").glob("eval-*.gz"))
    again = max(again, sum(paid(bill).values()) - recorded)
    under_way = min(again, lost)
    count.under_way += under_way
    count.paid_twice += again - under_way


def kills(bench: Bench, number: int, rng: random.Random) -> Iterator[tuple[str, Count]]:
    """Kill stages: in turn at a random call and at a random time, in one process and of two."""
    for stage, calls in bench.calls.items():
        count, took_s = Count(), _seconds(bench, stage)
        for index in range(number):
            at, after_s = rng.randint(1, max(calls.total(), 1)), rng.uniform(0, took_s)
            options = _TWO if index % 4 > 1 and stage != "compute-metrics" else ()
            here = {"options": options, "lost": 2 if options else 1}
            if index % 2:
                fault = Fault(f"killed after {after_s:.3f} s", kill_after_s=after_s, **here)
            else:
                fault = Fault(f"killed at call {at}", lambda folder, at=at: bench.arm(folder, ANY, at, 0), **here)
            attempt(bench, count, stage, fault)
        yield f"killed: {stage}", count


def _seconds(bench: Bench, stage: str) -> float:
    """Measure how long a stage takes now, when it is forked."""
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        shutil.copytree(bench.before(stage), campaign := Path(place) / "data")
        begun = time.monotonic()
        forked(lambda: do(campaign, stage, Path(place) / "bill"))
        return time.monotonic() - begun


def failures(bench: Bench, most: int) -> Iterator[tuple[str, Count]]:
    """Let the n-th call of each kind fail, for every n: in turn once (EIO), and from then on (no space)."""
    for stage, calls in bench.calls.items():
        for kind, mask in KINDS.items():
            count, last = Count(), calls[kind]
            every = sorted({1 + index * last // most for index in range(most)} & set(range(1, last + 1)))
            for index, at in enumerate(every):
                error, sticky = ((errno.EIO, False), (errno.ENOSPC, True))[index % 2]
                name = f"{kind} {at} {errno.errorcode[error]}"
                arm = lambda folder, how=(mask, at, error), sticky=sticky: bench.arm(folder, *how, sticky=sticky)  # noqa: E731
                attempt(bench, count, stage, Fault(name, arm, lost=int(sticky)))
            yield f"{kind} fails: {stage} ({last} calls)", count


def races(bench: Bench, rounds: int) -> Iterator[tuple[str, Count]]:
    """Let every two stages, and two of one beside another, run at once in one folder.

    Each ends well or is refused, and afterwards all is as it was.
    """
    names = list(STAGES)
    for index, one in enumerate(names):
        for other in [*names[index:], "validate"]:
            for together in ((one, other), (one, other, one)):
                count = Count()
                for _ in range(rounds):
                    _race(bench, count, together)
                yield f"at once: {', '.join(together)}", count


def _race(bench: Bench, count: Count, together: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=bench.folder) as place:
        campaign, bill = Path(place) / "data", Path(place) / "bill"
        shutil.copytree(bench.whole, campaign)
        logs = [Path(place) / f"{number}.log" for number in range(len(together))]
        children = [
            started(
                lambda name=name, log=log: do(
                    campaign, name, bill, *(() if name in ("make-traces", "validate") else ("--force",)), log=log
                )
            )
            for name, log in zip(together, logs, strict=True)
        ]
        ends = [ended(child) for child in children]
        count.attempts += 1
        for name, log, status in zip(together, logs, ends, strict=True):
            reported = log.read_text(encoding="utf-8")
            count.struck += status == 2
            refused = status == 2 and "is writing here" in reported
            if unforeseen(reported) or not (status in (0, 3) or refused or (name == "validate" and status == 1)):
                count.wrong.append(f"{name} ends with {status}: {reported[-200:]}")
        afterwards = [forked(lambda stage=stage: do(campaign, stage, bill)) for stage in STAGES]
        if any(afterwards):
            count.wrong.append(f"afterwards {afterwards}: {log_of(campaign)[-200:]}")
        elif differ := difference(contents(campaign), contents(bench.whole)):
            count.wrong.append(differ)
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
    count = Count()
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place]
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                print("NO RIGHT TO MOUNT: no disk is filled", flush=True)
                return
            try:
                _on_disk(bench, count, Path(place), size)
            finally:
                subprocess.run(["umount", place], check=True)
    yield "small disks, live among the stages", count


def _on_disk(bench: Bench, count: Count, disk: Path, size: int) -> None:
    bill = bench.folder / f"bill-{size}"
    log = bill.with_suffix(".log")
    work = [lambda stage=stage: do(disk / "data", stage, bill, log=log) for stage in STAGES]
    ends = [forked(one) for one in work]
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    again = [forked(one) for one in work]
    reported = log.read_text(encoding="utf-8")
    count.attempts += 1
    count.struck += any(ends)
    if unforeseen(reported) or set(ends) & set(_BROKEN) or any(again):
        count.wrong.append(f"{size} bytes: ends {ends}, again {again}: {reported[-300:]}")
    elif differ := difference(contents(disk / "data"), contents(bench.whole)):
        count.wrong.append(f"{size} bytes: {differ}")
    count.paid_twice += sum(n - 1 for n in paid(bill).values())
