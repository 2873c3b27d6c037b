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
    reported = capsys.readouterr().err
    assert reported.startswith(f"error: /data/x: cannot be written: {os.strerror(number)}; ")
    assert "--debug" not in reported


def test_errors_obey_no_terminal(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    """Control characters of foreign names are escaped; our own line ends stay."""
    raising(DataError("2 problems:\n  - a\x1b[31m\r\n  - b"))
    run(["raise"])
    assert capsys.readouterr().err == "error: 2 problems:\n  - a\\x1b[31m\\r\n  - b\n"


def test_a_variable_that_nobody_reads_is_reported(
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
    assert run(["run-variants"]) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("verb", ["raise", "run-variants"])
def test_only_a_stage_is_said_to_go_on(raising, capsys, verb: str) -> None:  # type: ignore[no-untyped-def]
    """What keeps nothing promises nothing."""
    raising(KeyboardInterrupt())
    assert run([verb]) == 130
    assert ("goes on from here" in capsys.readouterr().err) == (verb != "raise")


def test_a_reader_that_leaves_ends_a_command_well() -> None:
    """As of `… | head`: status 0, and no word."""
    script = "import os, sys\nfrom exaid_evals.cli.main import run\nos.read(0, 1)\nsys.exit(run(['view', '--help']))"
    done = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.stdout is not None
    done.stdout.close()
    done.stdout = None
    assert (done.communicate(b"x")[1], done.returncode) == (b"", 0)


def test_another_pipe_that_breaks_is_an_error(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    """A program or server went away; that is not a reader who has seen enough."""
    raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert run(["raise"]) == 1
    assert "error: the program or server that this command wrote to is gone; look why" in capsys.readouterr().err


def test_variables_of_other_packages_verbs_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their options count as ours do, and one that cannot be imported hinders no other command."""
    folder = tmp_path / "mine-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: mine\nVersion: 1\n", encoding="utf-8")
    verbs = "[exaid_evals.verbs]\nmine = mine_verb:command\nbroken = mine_absent:command\n"
    (folder / "entry_points.txt").write_text(verbs, encoding="utf-8")
    source = "import click\ncommand = click.Command('mine', params=[click.Option(['--x'], envvar='EXAID_MINE_X')])\n"
    (tmp_path / "mine_verb.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("EXAID_MINE_X", "1")
    monkeypatch.setenv("EXAID_DATA_DIR", str(tmp_path))
    assert run(["doctor", "--for", "nothing"]) == 2
    assert "EXAID_MINE_X" not in capsys.readouterr().err
