"""What the documentation says is so: commands run, outputs are real, links and names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.console import DOCUMENTS, NEEDS_TORCH, ROOT, TUTORIALS, shell_of, shown_in
from docs.page import check_commands
from exaid_evals.artifacts import schemas
from exaid_evals.cli.main import VERBS

_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def text_of(name: str) -> str:
    """Read a document."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DOCUMENTS, *(one for one in TUTORIALS if one != NEEDS_TORCH)])
def test_commands_print_what_is_shown(name: str, tmp_path: Path) -> None:
    """Every console command of the document succeeds, in order, and prints the lines below it."""
    check_commands(text_of(name), shell_of(name, tmp_path))


def test_a_summarizer_of_ones_own_takes_under_15_lines() -> None:
    """From installing the wheel to the main table: files and commands of the tutorial."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text_of(TUTORIALS[0]), re.MULTILINE | re.DOTALL)
    code = [line for kind, body in blocks if kind != "console" for line in body.splitlines() if line]
    assert len(code) + len(shown_in(text_of(TUTORIALS[0]))) < 15


@pytest.mark.parametrize("name", [*DOCUMENTS, *TUTORIALS, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a document names a file or folder of the checkout."""
    missing = [link for link in _LINK.findall(text_of(name)) if not (ROOT / name).parent.joinpath(link).exists()]
    assert missing == []


def test_the_handbook_names_every_verb_and_every_record() -> None:
    """A verb or a kind of record that the handbook is silent about would be found by nobody."""
    handbook = text_of("evals/README.md")
    missing = [name for name in [*VERBS, *schemas.current_versions()] if f"`{name}`" not in handbook]
    assert missing == []


def test_the_index_lists_every_page() -> None:
    """A page that docs/README.md does not lead to would be found by nobody."""
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")} - {"README.md"}
    assert pages <= set(_LINK.findall(text_of("docs/README.md")))
