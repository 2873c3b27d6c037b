"""Pages of docs/ whose commands are run by a test of the part that they tell of."""

from __future__ import annotations

from pathlib import Path

from docs.console import ROOT, Shell, matches, shown_in


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
    found = shown_in(text)
    assert len(found) == commands
    shell = Shell(folder)
    for shown in found:
        actual = shell.run(shown.command)
        assert matches(shown.output, actual), f"`{shown.command}` now prints\n" + "\n".join(actual)
