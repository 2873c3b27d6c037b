"""What the documentation says is so: commands run, outputs are real, links and names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.console import DOCUMENTS, ROOT, Shell, matches, shown_in
from exaid_evals.artifacts import schemas
from exaid_evals.cli.main import VERBS

_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def text_of(name: str) -> str:
    """Read a document."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_print_what_is_shown(name: str, tmp_path: Path) -> None:
    """Every console command of the document succeeds, in order, and prints the lines below it."""
    shell = Shell(tmp_path)
    commands = shown_in(text_of(name))
    assert commands
    for shown in commands:
        actual = shell.run(shown.command)
        assert matches(shown.output, actual), (
            f"`{shown.command}` in {name} now prints\n"
            + "\n".join(actual)
            + "\nupdate: python evals/tests/docs/console.py"
        )


@pytest.mark.parametrize("name", [*DOCUMENTS, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a document names a file or folder of the checkout."""
    missing = [link for link in _LINK.findall(text_of(name)) if not (ROOT / name).parent.joinpath(link).exists()]
    assert missing == []


def test_the_handbook_names_every_verb_and_every_record() -> None:
    """A verb or a kind of record that the handbook is silent about would be found by nobody."""
    handbook = text_of("evals/README.md")
    missing = [name for name in [*VERBS, *schemas.current_versions()] if f"`{name}`" not in handbook]
    assert missing == []
