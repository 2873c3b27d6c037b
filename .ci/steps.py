"""Run the steps of a table side by side; a failure of any fails the run.

Standard input holds a line per step, `NAME | NAMES OF THE STEPS IT NEEDS | COMMAND OF BASH`, with `#` before a remark.
Steps start in the table's order, each when those it needs have passed, two at a time. What a step prints is kept
whole and printed in the table's order. One that exits with 77 cannot be run here and says why on its last line; what
needs it is not run either. The others run to the end, so that one run shows every failure.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AT_ONCE = 2  # most keep one core busy at most, or wait for the network
NOT_RUN = 77
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
CLOSING = re.compile(r"(?:\d+ (?:passed|failed|skipped|xfailed|errors?|warnings?|deselected)(?:, | in ))+[\d.]+s")
DURATION = re.compile(r"([\d.]+)s (?:call|setup|teardown) +\S.*")


class Step:
    """A row of the table, and how far it is."""

    def __init__(self, name: str, needs: str, command: str, folder: Path) -> None:
        self.name, self.needs, self.command = name, needs.split(), command
        self.log = folder / name
        self.log.touch()
        self.state = "waiting"
        self.seconds = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the command with a process group of its own, so that all it starts can be ended with it."""
        self.state, self.seconds = "running", time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def look(self) -> bool:
        """Return whether it has ended since the last look."""
        status = self.process.poll() if self.process and self.state == "running" else None
        if status is None:
            return False
        self.seconds = time.monotonic() - self.seconds
        self.state = {0: "passed", NOT_RUN: "not run"}.get(status, "FAILED")
        return True

    def end(self) -> None:
        """End it with everything that it started."""
        if self.process and self.state == "running":
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)

    def lines(self) -> list[str]:
        """Return what it printed, without colours."""
        return COLOURS.sub("", self.log.read_text(encoding="utf-8", errors="replace")).splitlines()

    def note(self) -> str:
        """Return what the closing table says beside its state: pytest's closing line, or why it was not run."""
        if self.state != "not run":
            return " ".join(match[0] for line in self.lines() if (match := CLOSING.search(line)))
        return (self.lines() or [f"needs {', '.join(self.needs)}"])[-1]


def read_table(text: str, folder: Path) -> list[Step]:
    """Return the steps of a table; a need that stands in no row above is an error."""
    steps: list[Step] = []
    for line in filter(None, (row.partition("#")[0].strip() for row in text.splitlines())):
        name, needs, command = (cell.strip() for cell in line.split("|", 2))
        steps.append(Step(name, needs, command, folder))
        unknown = set(steps[-1].needs) - {step.name for step in steps[:-1]}
        if unknown:
            raise SystemExit(f"{name}: needs {', '.join(sorted(unknown))}, which no row above it names")
    return steps


def run(steps: list[Step], signals: list[int]) -> None:
    """Run the steps, and print each with all that it printed, in order; stop where a signal has come."""
    begun = time.monotonic()
    by_name = {step.name: step for step in steps}
    printed = 0
    while not signals:
        for step in steps:
            if step.state == "waiting" and any(by_name[name].state in {"FAILED", "not run"} for name in step.needs):
                step.state = "not run"
            ready = step.state == "waiting" and all(by_name[name].state == "passed" for name in step.needs)
            if ready and sum(other.state == "running" for other in steps) < AT_ONCE:
                step.start()
                say(f"== {time.monotonic() - begun:6.1f} s  {step.name}: started")
        while printed < len(steps) and steps[printed].state in {"passed", "FAILED", "not run"}:
            say(f"\n==== {steps[printed].name} ({steps[printed].command}): {steps[printed].state}")
            sys.stdout.buffer.write(steps[printed].log.read_bytes())
            printed += 1
        if printed == len(steps):
            close(steps, time.monotonic() - begun)
            return
        time.sleep(0.02)
        for step in filter(Step.look, steps):
            say(f"== {time.monotonic() - begun:6.1f} s  {step.name}: {step.state} after {step.seconds:.1f} s")


def close(steps: list[Step], seconds: float) -> None:
    """Print the slowest tests, the time of each step and a last line that sums pytest's closing lines."""
    say("\n==== the 20 slowest tests")
    durations = [line for step in steps for line in step.lines() if DURATION.fullmatch(line)]
    for line in sorted(durations, key=lambda line: -float(line.split("s")[0]))[:20]:
        say(line)
    say("\n==== steps")
    for step in steps:
        say(f"{step.name:16} {step.state:8} {step.seconds:7.1f} s  {step.note()}")
    state = "FAILED" if any(step.state == "FAILED" for step in steps) else "passed"
    say(f"{'all':16} {state:8} {seconds:7.1f} s\n")
    notes = " ".join(step.note() for step in steps if step.state != "not run")
    passed, failed, skipped = (
        sum(map(int, re.findall(rf"(\d+) (?:{outcome})\b", notes)))
        for outcome in ("passed", "failed|errors?", "skipped")
    )
    say(f"{passed} passed, {failed} failed, {skipped} skipped")


def say(line: str) -> None:
    """Print a line at once: a log is read while it grows."""
    print(line, flush=True)


def main() -> int:
    """Run the table on standard input and return the exit status."""
    # Noted, not raised at once: between the start of a command and the note of its number nothing could end it.
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _: signals.append(got))
    with tempfile.TemporaryDirectory() as folder:
        steps = read_table(sys.stdin.read(), Path(folder))
        try:
            run(steps, signals)
        finally:
            for step in steps:
                step.end()
        return 128 + signals[0] if signals else int(any(step.state == "FAILED" for step in steps))


if __name__ == "__main__":
    sys.exit(main())
