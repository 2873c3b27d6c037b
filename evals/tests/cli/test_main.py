"""The root command: exit statuses, messages, and what `--help` costs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from exaid_evals.cli import main as main_module
from exaid_evals.cli.main import VERBS, root, run
from exaid_evals.errors import CaseFailedError, ConfigError, DataError

HEAVY = ("spacy", "pandas", "matplotlib", "autogen", "numpy", "pydantic")


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that makes a verb `raise` raise an error."""

    def install(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        monkeypatch.setitem(VERBS, "raise", ("raise", ""))
        monkeypatch.setattr(type(root), "get_command", lambda *_: command)

    return install


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("bad"), 1),
        (ConfigError("bad"), 2),
        (CaseFailedError("bad"), 3),
        (KeyboardInterrupt(), 130),
        (RuntimeError("bad"), 1),
        (PermissionError(13, "Permission denied", "/data/x"), 1),
    ],
)
def test_errors_become_exit_statuses(raising, error, status, capsys) -> None:  # type: ignore[no-untyped-def]
    """Each kind of error has its status, and none shows a traceback."""
    raising(error)
    assert run(["raise"]) == status
    assert "Traceback" not in capsys.readouterr().err


def test_a_lost_permission_names_the_file(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    """What the system refuses is said in one line, with the file."""
    raising(PermissionError(13, "Permission denied", "/data/x"))
    run(["raise"])
    assert capsys.readouterr().err.startswith("error: /data/x: Permission denied;")


def test_debug_shows_the_traceback(raising) -> None:  # type: ignore[no-untyped-def]
    """With --debug, wherever it stands, the error itself comes out."""
    raising(DataError("bad"))
    with pytest.raises(DataError):
        run(["raise", "--debug"])


@pytest.mark.parametrize("arguments", [["nonsense"], ["validate", "--nonsense"], ["run-variants", "--jobs", "0"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown verb, an unknown option and a value out of range are wrong usage."""
    assert run(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_is_cheap() -> None:
    """Help of the program and of every verb loads none of the heavy libraries, one after the other in one process."""
    script = (
        "import sys; from exaid_evals.cli.main import run\n"
        "for verb in sys.argv[1:]:\n"
        "    status = run([verb, '--help'] if verb else ['--help'])\n"
        f"    loaded = [name for name in {HEAVY} if name in sys.modules]\n"
        "    if status or loaded: sys.exit(f'{verb} --help: {status} {loaded}')\n"
    )
    environment = {"PYTHONPATH": str(Path(main_module.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", script, "", *VERBS], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage:") == len(VERBS) + 1


def test_an_option_reads_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    """EXAID_DATA_DIR stands for --data-dir."""
    monkeypatch.setenv("EXAID_DATA_DIR", str(tmp_path))
    assert run(["validate"]) == 0
    assert str(tmp_path) in capsys.readouterr().out


@pytest.mark.parametrize("name", ["EACCES", "EROFS", "EEXIST", "ENOTDIR", "EISDIR", "ENOSPC", "ENOENT"])
def test_what_the_system_refuses_has_a_remedy(raising, name, capsys) -> None:  # type: ignore[no-untyped-def]
    """Each common refusal says what to do, and does not ask for a traceback."""
    number = getattr(errno, name)
    raising(OSError(number, f"cannot be written: {os.strerror(number)}", "/data/x"))
    assert run(["raise"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: /data/x: cannot be written: {os.strerror(number)}; ")
    assert "--debug" not in told


def test_errors_obey_no_terminal(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    """Control characters of foreign names are escaped; our own line ends stay."""
    raising(DataError("2 problems:\n  - a\x1b[31m\r\n  - b"))
    run(["raise"])
    assert capsys.readouterr().err == "error: 2 problems:\n  - a\\x1b[31m\\r\n  - b\n"


def test_a_variable_that_nobody_reads_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt EXAID_ variable is a warning with the name that was meant; those that are read are none."""
    monkeypatch.setenv("EXAID_JOB", "2")
    for name in ("EXAID_JOBS", "EXAID_CACHE_DIR", "EXAID_MAC_DIR", "EXAID_STUB_MODE", "EXAID_SEEDS"):
        monkeypatch.setenv(name, "1")
    assert run(["validate", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "warning: EXAID_JOB is not read; did you mean EXAID_JOBS?\n"


def test_sigterm_is_an_interruption_and_only_meanwhile(raising, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """`kill` ends a command as Ctrl-C does; the process that called it keeps its own handling."""
    before = signal.getsignal(signal.SIGTERM)

    @click.command()
    def terminated() -> None:
        signal.raise_signal(signal.SIGTERM)

    raising(KeyboardInterrupt())
    monkeypatch.setattr(type(root), "get_command", lambda *_: terminated)
    assert run(["raise"]) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before
