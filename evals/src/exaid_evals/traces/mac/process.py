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
        task: what the child is told; its folders and the pipe for its events are added here.
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
                told = {**task, "folder": folder, "output_dir": str(output), "events_fd": writing}
                process.stdin.write(json.dumps(told).encode() + b"\n")
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
