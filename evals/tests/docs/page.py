"""Pages of docs/ whose commands are run by a test of the part that they tell of."""

from __future__ import annotations

from pathlib import Path

from docs.console import ROOT, Shell, matches, shown_in, walk


def page_text(name: str) -> str:
    """Return a page of docs/."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def check_walk(text: str, folder: Path, commands: int) -> None:
    """Run a page's commands in order, and hold what each prints against the lines below it.

    Args:
        text: of the page.
        folder: for the campaign of the commands.
        commands: how many the page must show, so that none is lost by a slip of its form.

    Raises:
        AssertionError: a command fails, prints something else, or is not there.
    """
    assert len(shown_in(text)) == commands
    check_commands(text, Shell(folder))


def check_commands(text: str, shell: Shell) -> None:
    """Run a document's commands in order, and hold what each prints against the lines below it.

    Raises:
        AssertionError: a command fails, or prints something else.
    """
    for shown, actual in walk(text, shell):
        reported = f"`{shown.command}` now prints\n" + "\n".join(actual)
        assert matches(shown.output, actual), f"{reported}\nupdate: python evals/tests/docs/console.py DOCUMENT"
