"""One command at a time writes a folder; what is left of a killed one stops nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exaid_evals.artifacts.atomic import HOLDER, LOCK, writing
from exaid_evals.cli.main import run
from exaid_evals.errors import ConfigError
from stub_campaigns import ARGUMENTS, copy_of, shared_campaign

_HOLDING = """
import sys
from pathlib import Path
from exaid_evals.artifacts.atomic import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Return a folder that another process holds, and that process."""
    folder = tmp_path / "campaign"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _HOLDING, str(folder)], **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield folder, process
        process.kill()


def test_the_second_is_refused_and_reported_who_has_it(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Process, host, time and command of the first stand in the message."""
    folder, process = held
    with (
        pytest.raises(ConfigError, match=rf"`-c .*process {process.pid} on {os.uname().nodename}, since 2"),
        writing(folder),
    ):
        raise AssertionError


def test_a_killed_holder_holds_nothing(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """What it left beside the lock is replaced, and at the end nothing is left at all."""
    folder, process = held
    process.kill()
    process.wait()
    assert (folder / HOLDER).exists()
    half = [folder / name / ".x.json.0123abcd.tmp" for name in (".state", ".state/measured", "a/b", "other")]
    for path in half:  # killed while it wrote
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with writing(folder / "other"), writing(folder):
        assert json.loads((folder / HOLDER).read_bytes())["pid"] == os.getpid()
    assert not (folder / LOCK).exists()
    assert not (folder / HOLDER).exists()
    assert [path.exists() for path in half] == [False, False, False, True]  # the last is another command's


def test_a_thread_holds_a_folder_as_often_as_it_likes_and_another_thread_not(tmp_path: Path) -> None:
    """A command of several stages takes the folder for each; the lock ends with the first that took it."""
    refused: list[str] = []

    def other() -> None:
        try:
            with writing(tmp_path):
                raise AssertionError
        except ConfigError as error:
            refused.append(str(error))

    def ask() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(60)

    with writing(tmp_path):
        with writing(tmp_path):
            ask()
        ask()
    assert len(refused) == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_folder_that_was_not_there(tmp_path: Path) -> None:
    """A command that finds nothing to do in a folder does not make it."""
    with writing(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_hostile_note_beside_the_lock_is_no_message(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Whatever stands there, the refusal is one plain line."""
    folder, _ = held
    for note in (b"", b"[]", b'{"command":"\\u001b[2J","pid":{},"host":"' + b"h" * 5000 + b'","since":1}'):
        (folder / HOLDER).write_bytes(note)
        with pytest.raises(ConfigError, match="is writing here") as caught, writing(folder):
            raise AssertionError
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


def test_two_halves_of_a_campaign_at_once(
    held: tuple[Path, subprocess.Popen[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is refused before it changes anything, what only reads goes on, and later the ledger is complete."""
    folder, process = held
    copy_of(shared_campaign(), folder / "data")
    where = ["--data-dir", str(folder / "data")]
    ledger = folder / "data" / ".state" / "run-variants.jsonl"
    before = ledger.read_bytes()
    with writing(folder / "data"):  # in another thread it is another holder
        status: list[int] = []
        asked = [
            ["run-variants", "--stub", "--force", "V0", *where],
            ["make-traces", *ARGUMENTS, "--force", *where],
            ["run-variants", "--stub", "--dry-run", *where],
            ["validate", *where],
        ]
        for arguments in asked:
            thread = threading.Thread(target=lambda arguments=arguments: status.append(run(arguments)))
            thread.start()
            thread.join(60)
    assert status == [2, 2, 0, 0]
    assert capsys.readouterr().err.count("is writing here") == 2
    assert ledger.read_bytes() == before
    process.kill()
