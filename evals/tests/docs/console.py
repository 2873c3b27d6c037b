"""The commands that the documentation shows, and what they really print.

A fenced block of `console` holds commands behind `$ ` and the standard output of each, in which a line `…` stands for
any number of lines; a block below a line such as "`lead.py`:" is that file. `python evals/tests/docs/console.py
[DOCUMENT…]` runs them all and writes what they print into the documents. Tutorials run in an empty folder, which holds
the wheel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = ("README.md", "evals/README.md", "docs/export.md", "docs/comparing_logs.md")
TUTORIALS = tuple(f"docs/tutorials/{name}.md" for name in ("own_summarizer", "reviewer", "own_runs", "own_model"))
NEEDS_TORCH = TUTORIALS[-1]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"(?:^`([\w./]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.*)$")
ANY_LINES = "…"

# What a surrounding `make test ARGS=…` or campaign would pass on to the documented commands.
_OTHERS = ("EXAID_", "MAKE", "MFLAGS", "ARGS", "SEEDS")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command and the lines that a document shows below it."""

    command: str
    output: tuple[str, ...]


def shown_in(text: str) -> list[Shown]:
    """Return the commands of a document, in order."""
    return [shown for block in _BLOCK.findall(text) for shown in _split(block)]


def _split(block: str) -> Iterator[Shown]:
    command: str | None = None
    output: list[str] = []
    for line in block.splitlines():
        match = _COMMAND.match(line)
        if match:
            if command is not None:
                yield Shown(command, tuple(output))
            command, output = match[1], []
        else:
            output.append(line)
    if command is not None:
        yield Shown(command, tuple(output))


class Shell:
    """Runs documented commands in the checkout, over a campaign of its own, without key and without MAC."""

    cwd = ROOT

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        scripts = Path(sys.executable).parent
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_OTHERS)},
            "EXAID_DATA_DIR": str(self._data),
            "EXAID_SOURCE": "synthetic",
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "VENV": str(scripts.parent),
        }

    def run(self, command: str) -> tuple[str, ...]:
        """Return a command's standard output, the campaign's folder written as the default one.

        Raises:
            AssertionError: the command failed; its standard error is in the message.
        """
        done = subprocess.run(  # noqa: S602 - the documents are ours
            command,
            shell=True,
            executable="/bin/bash",
            cwd=self.cwd,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise AssertionError(f"`{command}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return tuple(line.rstrip() for line in done.stdout.replace(str(self._data), "evals/data").splitlines())


class TutorialShell(Shell):
    """Runs a tutorial's commands in an empty folder with the wheel, into which they install it if they do."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        del self._environment["EXAID_DATA_DIR"]
        self.cwd = folder / "empty"
        self.cwd.mkdir()
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(self.cwd)]
        subprocess.run(build, cwd=ROOT, capture_output=True, check=True)

    def install(self, folder: Path) -> None:
        """Let commands have an environment with this one's packages, but for the project's own."""
        venv.create(folder, with_pip=True)
        known, seen = Path(sysconfig.get_path("purelib")), folder / "packages"
        seen.mkdir()
        for path in known.iterdir():
            if "exaid_evals" not in path.name and path.name != "pip":
                (seen / path.name).symlink_to(path)
        own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (own / "others.pth").write_text(f"{seen}\n", encoding="utf-8")
        self._environment |= {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "PIP_NO_INDEX": "1"}

    def write(self, name: str, content: str) -> None:
        """Write a file that the tutorial shows."""
        (self.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (self.cwd / name).write_text(content, encoding="utf-8")


def shell_of(name: str, folder: Path) -> Shell:
    """Return what runs a document's commands."""
    if name not in TUTORIALS:
        return Shell(folder)
    shell = TutorialShell(folder)
    if "pip install" in (ROOT / name).read_text(encoding="utf-8"):
        shell.install(folder / "environment")
    return shell


def walk(text: str, shell: Shell) -> Iterator[tuple[Shown, tuple[str, ...]]]:
    """Do what a document says, in order; yield each command with what it prints."""
    for file, kind, body in _STEP.findall(text):
        if file and isinstance(shell, TutorialShell):
            shell.write(file, body)
        elif kind == "console":
            for shown in _split(body):
                yield shown, shell.run(shown.command)


def matches(expected: tuple[str, ...], actual: tuple[str, ...]) -> bool:
    """Return whether the output is what is shown; a line `…` matches any number of lines.

    >>> matches(("a", "…", "d"), ("a", "b", "c", "d")), matches(("a", "…"), ("b",)), matches((), ())
    (True, False, True)
    """
    pattern = "".join(r"(?:[^\n]*\n)*" if line.strip() == ANY_LINES else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in actual)) is not None


def _updated(text: str, shell: Shell) -> str:
    printed = walk(text, shell)

    def rewrite(block: re.Match[str]) -> str:
        lines: list[str] = []
        for _ in _split(block[1]):
            shown, actual = next(printed)
            lines += [f"$ {shown.command}", *(shown.output if matches(shown.output, actual) else actual)]
        return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

    return _BLOCK.sub(rewrite, text)


def main() -> None:
    """Write what the commands print into the documents; blocks that still match keep their ellipses."""
    for name in sys.argv[1:] or [*DOCUMENTS, *(one for one in TUTORIALS if one != NEEDS_TORCH)]:
        path = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(_updated(path.read_text(encoding="utf-8"), shell_of(name, Path(folder))), encoding="utf-8")
        print(f"updated {name}")  # noqa: T201 - a script's report


if __name__ == "__main__":
    main()
