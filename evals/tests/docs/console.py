"""The commands that the documentation shows, and what they really print.

A fenced block of `console` holds commands behind `$ ` and the standard output of each, in which a line `…` stands for
any number of lines. `python evals/tests/docs/console.py [DOCUMENT…]` runs them all and writes what they print into the
documents.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = ("README.md", "evals/README.md", "docs/export.md", "docs/comparing_logs.md")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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
            command, shell=True, executable="/bin/bash", cwd=ROOT, env=self._environment, capture_output=True, text=True
        )
        if done.returncode:
            raise AssertionError(f"`{command}` exited with {done.returncode}:\n{done.stdout}{done.stderr}")
        return tuple(line.rstrip() for line in done.stdout.replace(str(self._data), "evals/data").splitlines())


def matches(expected: tuple[str, ...], actual: tuple[str, ...]) -> bool:
    """Tell whether the output is what is shown; a line `…` matches any number of lines.

    >>> matches(("a", "…", "d"), ("a", "b", "c", "d")), matches(("a", "…"), ("b",)), matches((), ())
    (True, False, True)
    """
    pattern = "".join(r"(?:[^\n]*\n)*" if line.strip() == ANY_LINES else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in actual)) is not None


def _updated(text: str, shell: Shell) -> str:
    def rewrite(block: re.Match[str]) -> str:
        lines: list[str] = []
        for shown in _split(block[1]):
            actual = shell.run(shown.command)
            lines += [f"$ {shown.command}", *(shown.output if matches(shown.output, actual) else actual)]
        return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

    return _BLOCK.sub(rewrite, text)


def main() -> None:
    """Write what the commands print into the documents; blocks that still match keep their ellipses."""
    for name in sys.argv[1:] or DOCUMENTS:
        path = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(_updated(path.read_text(encoding="utf-8"), Shell(Path(folder))), encoding="utf-8")
        print(f"updated {name}")  # noqa: T201 - a script's report


if __name__ == "__main__":
    main()
