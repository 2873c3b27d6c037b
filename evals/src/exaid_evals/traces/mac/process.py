"""MAC's process from outside: started, listened to, and killed with its whole group when its time is up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from exaid_evals.config.mas_generation import Passing
from exaid_evals.traces.mac.calls import Trouble

_CHILD = "exaid_evals.traces.mac.child"
_POLL_S = 0.1
_PACKAGES = Path(__file__).resolve().parents[3]
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|^(OPENAI|GOOGLE|AZURE|AUTOGEN|OAI|EXAID)_", re.IGNORECASE)
# Calls go to this process over loopback, never by way of a proxy. The text files that MAC opens are UTF-8 whatever the
# locale, and its folder stays as it is.
_SETTINGS = {"NO_PROXY": "*", "no_proxy": "*", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class End(StrEnum):
    """How a try at a case ended."""

    DONE = "done"
    RAISED = "raised"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it was observed.

    Attributes:
        name: MAC's name of the agent.
        content: the text.
        tokens: what the provider reported for it; None where it reported nothing.
        t_ns: when, on the machine's monotonic clock.
    """

    name: str
    content: str
    tokens: int | None
    t_ns: int


@dataclass(slots=True)
class Try:
    """What one try at a case gave.

    Attributes:
        ready: whether MAC was imported and the case found.
        end: how it ended.
        detail: what there is to say about that, for a failure reason.
        said: the messages, in order, as far as the conversation went.
        written: the conversation file that MAC wrote, as text; None without one.
    """

    ready: bool = False
    end: End = End.CRASHED
    detail: str = ""
    said: list[Said] = field(default_factory=list)
    written: str | None = None


def run_child(task: Mapping[str, Any], *, time_limit_s: float, stop: threading.Event) -> Try:
    """Run MAC on one case in a process of its own, and return what came of it.

    Args:
        task: the child's task; its folders and the pipe for its events are added here.
        time_limit_s: after which the process is killed.
        stop: set when the whole stage is to end.
    """
    with tempfile.TemporaryDirectory(prefix="exaid-mac-", ignore_cleanup_errors=True) as folder:
        output = Path(folder) / "output"
        output.mkdir()
        log = Path(folder) / "log.txt"
        reading, writing = os.pipe()
        try:
            with log.open("wb") as stream:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", _CHILD],
                    stdin=subprocess.PIPE,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    cwd=task["mac_dir"],
                    env=child_environment(os.environ, folder),
                    pass_fds=(writing,),
                    start_new_session=True,
                )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        result = Try()
        try:
            with contextlib.suppress(BrokenPipeError):  # it died at once; the exit status says how
                assert process.stdin is not None  # noqa: S101 - a pipe, see above
                instructions = {**task, "folder": folder, "output_dir": str(output), "events_fd": writing}
                process.stdin.write(json.dumps(instructions).encode() + b"\n")
                process.stdin.flush()
            _listen(process, reading, result, time.monotonic() + time_limit_s, stop)
        finally:
            os.close(reading)
            _kill(process)
        if result.end is End.TIMED_OUT:
            result.detail = f"no end within {time_limit_s:g} s"
        elif result.end is End.CRASHED:
            result.detail = _how_it_died(process.returncode, log)
        result.written = _conversation(output)
        return result


def child_environment(environment: Mapping[str, str], temporary: str) -> dict[str, str]:
    """Return what MAC's process may know: nothing that looks like a secret, for it needs none.

    Calls are forwarded by this process, which alone holds the key.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if not _SECRET.search(name) and not name.lower().endswith("_proxy")
    }
    paths = [str(_PACKAGES), *(part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part)]
    absolute = os.pathsep.join(str(Path(path).absolute()) for path in paths)
    return {**kept, **_SETTINGS, "PYTHONPATH": absolute, "TMPDIR": temporary}


def _listen(
    process: subprocess.Popen[bytes], reading: int, result: Try, deadline: float, stop: threading.Event
) -> None:
    held = b""
    while True:
        if stop.is_set():
            result.end = End.STOPPED
            return
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            result.end = End.TIMED_OUT
            return
        ready, _, _ = select.select([reading], [], [], min(_POLL_S, remaining))
        if ready:
            chunk = os.read(reading, 1 << 16)
            *lines, held = (held + chunk).split(b"\n")
            _take(lines, result)
            if not chunk or result.end in (End.DONE, End.RAISED):
                break
        elif process.poll() is not None:
            # Dead, and nothing left to read, although something it started still holds the pipe open.
            break
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)


def _take(lines: Sequence[bytes], result: Try) -> None:
    for line in lines:
        event = json.loads(line)
        if event["event"] == "message":
            result.said.append(Said(event["name"], event["content"], event["tokens"], event["t_ns"]))
        elif event["event"] == "ready":
            result.ready = True
        elif event["event"] == "done":
            result.end = End.DONE
        elif event["event"] == "error":
            result.end = End.RAISED
            result.detail = f"{event['type']}: {event['text']}" if event["text"] else event["type"]


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _how_it_died(status: int, log: Path) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-status).name}"
        return f"killed by signal {-status}"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
    return f"exit status {status}" + (f" ({lines[-1].strip():.200})" if lines[-1].strip() else "")


def _conversation(output: Path) -> str | None:
    """Return the conversation file that MAC wrote somewhere below its output folder."""
    found = sorted(output.rglob("*_conversation.json"))
    return found[0].read_text(encoding="utf-8", errors="replace") if found else None


AGENTS = ("doctor0", "doctor1", "doctor2", "supervisor")
# In MAC's file the supervisor, whose history it is, has no name.
_UNNAMED = "supervisor"


def agent_of(name: str | None) -> str:
    """Return the id of an agent from the name that MAC gives it.

    >>> agent_of("Doctor2"), agent_of(None)
    ('doctor2', 'supervisor')
    """
    return name.lower() if name else _UNNAMED


def problem_with(said: Sequence[Said], written: str | None) -> str | None:
    """Return the first way in which conversation and file differ, or None where they hold the same.

    Args:
        said: the observed messages.
        written: the content of MAC's conversation file; None where it wrote none.
    """
    strangers = sorted({item.name for item in said if agent_of(item.name) not in AGENTS})
    if strangers:
        return f"a message of {strangers[0]!r:.80}, who is not an agent of MAC's"
    if not said:
        return "no message was observed"
    if written is None:
        return f"MAC wrote no conversation file, and {len(said)} messages were observed"
    entries = _entries(written)
    if entries is None:
        return "MAC's conversation file is not a list of messages"
    for number, (item, (agent, content)) in enumerate(zip(said, entries, strict=False)):
        observed = agent_of(item.name)
        if observed != agent:
            return f"message {number} was observed of {observed}, and MAC's conversation file has it of {agent}"
        if item.content != content:
            at = _first_difference(item.content, content)
            return (
                f"message {number} of {agent} differs at character {at}: observed {item.content[at : at + 40]!r}, "
                f"in MAC's conversation file {content[at : at + 40]!r}"
            )
    if len(said) != len(entries):
        return f"{len(said)} messages were observed, and MAC's conversation file holds {len(entries)}"
    return None


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _entries(written: str) -> list[tuple[str, str]] | None:
    try:
        data: Any = json.loads(written)
        return [(agent_of(entry.get("name")), str(entry["content"])) for entry in data]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try comes to.

    Attributes:
        failure: why there is no conversation; None where there is one.
        passing: the kind of a failure that another try may not meet.
        fatal: whether every other case would fail likewise.
        wait_s: how long the provider asks to wait.
        note: what MAC raised after a complete conversation.
    """

    failure: str | None = None
    passing: Passing | None = None
    fatal: bool = False
    wait_s: float | None = None
    note: str | None = None


def verdict_on(result: Try, trouble: Trouble | None, *, report_required: bool) -> Verdict:
    """Judge a try.

    Args:
        result: what MAC's process gave.
        trouble: why its last call was not answered; None where it was.
        report_required: whether a complete conversation counts only if MAC can read the diagnosis out of it.
    """
    so_far = f"after {len(result.said)} message{'' if len(result.said) == 1 else 's'}"
    if result.end is End.DONE:
        return Verdict(problem_with(result.said, result.written))
    if result.end is End.TIMED_OUT:
        last = f"; the last call: {trouble.what}" if trouble else ""
        return Verdict(f"timeout: {result.detail}, {so_far}{last}", Passing.TIMEOUT)
    if result.end is End.CRASHED:
        return Verdict(f"crash: MAC's process ended, {result.detail}, {so_far}", Passing.CRASH)
    if not result.ready:
        return Verdict(f"MAC cannot be started: {result.detail}", fatal=True)
    if trouble is not None:
        passing = Passing.PROVIDER if trouble.passing else None
        return Verdict(f"{trouble.what}, {so_far}", passing, trouble.fatal, trouble.wait_s)
    raised = f"MAC raised {result.detail}"
    if problem_with(result.said, result.written) is None and not report_required:
        # The conversation is complete and written; what MAC could not do is read the diagnosis out of it.
        return Verdict(note=f"{raised} {so_far}, of a conversation that is complete and written")
    return Verdict(f"{raised}, {so_far}")
