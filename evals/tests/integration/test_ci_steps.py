"""`.ci/steps.py`: steps side by side, and a run that no failure slips through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def start(table: str, folder: Path) -> subprocess.Popen[str]:
    """Start a table of steps in a folder of its own."""
    process = subprocess.Popen(
        [sys.executable, ROOT / ".ci" / "steps.py"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(table)
    process.stdin.close()
    process.stdin = None
    return process


def run(table: str, folder: Path) -> tuple[int, str]:
    """Return the exit status of a table of steps, and what it printed."""
    process = start(table, folder)
    output, _ = process.communicate()
    return process.returncode, output


def test_output_is_whole_and_in_the_tables_order(tmp_path: Path) -> None:
    """Two steps that wait for one another, so run at once, print one after the other, as the table has them."""
    table = """
    first  | | echo one; until [[ -e second ]]; do sleep 0.01; done; echo two  # a remark
    second | | echo three; touch second; echo four >&2
    """
    status, output = run(table, tmp_path)
    assert status == 0, output
    words = ["one", "two", "three", "four"]
    assert [line for line in output.splitlines() if line in words] == words


@pytest.mark.parametrize("failing", ["first", "second", "third"])
def test_a_failure_anywhere_fails_the_run(failing: str, tmp_path: Path) -> None:
    """It ends its own step and what needs it; the others run on, and the closing table names it."""
    table = """
    first  |       | echo ran first
    second | first | echo ran second
    third  |       | echo ran third
    """
    status, output = run(table.replace(f"echo ran {failing}", f"false; echo ran {failing}"), tmp_path)
    assert status == 1
    ran = {line.removeprefix("ran ") for line in output.splitlines() if line.startswith("ran ")}
    assert ran == {"first", "second", "third"} - {failing} - ({"second"} if failing == "first" else set())
    closing = output.partition("==== steps")[2]
    assert f"{failing:16} FAILED" in closing
    assert f"{'all':16} FAILED" in closing


def test_what_cannot_be_run_says_why_and_fails_nothing(tmp_path: Path) -> None:
    """A step may say that this machine lacks what it takes; what needs it is not run either."""
    table = """
    engine    |           | echo NO ENGINE HERE; exit 77
    container | engine    | echo never
    more      | container | echo never
    other     |           | echo always
    """
    status, output = run(table, tmp_path)
    assert status == 0, output
    closing = output.partition("==== steps")[2].splitlines()
    assert [line.split("not run")[0].strip() for line in closing if "not run" in line] == [
        "engine",
        "container",
        "more",
    ]
    assert closing[1].endswith("NO ENGINE HERE")
    assert closing[2].endswith("needs engine")
    lines = output.splitlines()
    assert "always" in lines
    assert "never" not in lines


def test_the_closing_lines_add_up(tmp_path: Path) -> None:
    """The last line sums what every run of pytest closed with; the slowest tests of all come in one list."""
    table = """
    some | | echo '2.50s call     a.py::a'; printf '\\e[32m== 5 passed\\e[0m, 1 skipped, 2 warnings in 3.00s (0:03) =='
    more | | echo '9.00s setup    b.py::b'; echo '1 failed, 7 passed, 1 error in 2.00s'; false
    """
    status, output = run(table, tmp_path)
    assert status == 1
    assert output.splitlines()[-1] == "12 passed, 2 failed, 1 skipped"
    slowest = output.partition("==== the 20 slowest tests\n")[2].splitlines()
    assert slowest[:2] == ["9.00s setup    b.py::b", "2.50s call     a.py::a"]


def test_a_need_that_no_row_names_is_refused(tmp_path: Path) -> None:
    """A misspelt need would leave its step out of every run."""
    status, output = run("tests | enviroment | echo tests", tmp_path)
    assert status == 1
    assert output == "tests: needs enviroment, which no row above it names\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_ended_run_leaves_no_process(how: signal.Signals, tmp_path: Path) -> None:
    """Whoever ends the run ends its steps and what these started, and no log stays behind."""
    process = start("long | | sleep 1000 & echo $! >child.part; mv child.part child; wait", tmp_path)
    child = tmp_path / "child"
    while not child.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate()
    assert process.returncode == 128 + how
    while _runs(int(child.read_text())):
        time.sleep(0.01)
    assert [path.name for path in tmp_path.iterdir()] == ["child"]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
